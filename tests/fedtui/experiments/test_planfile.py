"""A plan file of a simulation: the coordinator's plan and a population, all errors at once."""

from pathlib import Path

import pytest

from fedtui.experiments import planfile
from fedtui.rounds.plan import Plan, check
from fedtui.tomlfile import ConfigError

GOOD = """\
[federation]
name = "ten"
[task]
name = "digits"
[rounds]
start_with = 10
[population]
nodes = 10
[population.speed]
spread = 0.5
"""
PATH = Path("plan.toml")


def lines_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        planfile.parse(text, path=PATH)
    return str(caught.value).splitlines()


def test_the_plan_is_the_coordinators_own() -> None:
    read = planfile.parse(GOOD, path=PATH)
    assert type(read.plan) is Plan
    assert read.plan.rounds.start_with == 10
    assert (read.population.nodes, read.population.speed.spread) == (10, 0.5)
    assert read.text == GOOD


def test_plain_changes_who_can_read_updates_and_nothing_else() -> None:
    plan = planfile.parse(GOOD, path=PATH).plan
    plain = planfile.plain(plan)
    assert plan.masked
    assert not plain.masked
    assert plain.privacy.largest_cohort == plan.privacy.largest_cohort
    assert plain.rounds == plan.rounds


HIDDEN = GOOD.replace(
    "[population]\n",
    """\
[training]
update_clip = 1.0
[weights]
by = "equal"
[evaluation]
with_evaluator = true
[dp]
noise = 2.0
delta = 0.01
[population]
""",
    1,
)


def test_plain_leaves_the_noise_that_is_guaranteed_to_the_coordinator() -> None:
    plain = planfile.plain(planfile.parse(HIDDEN, path=PATH).plan)
    assert plain.dp is not None
    assert (plain.dp.mechanism, plain.dp.noise, plain.dp.delta) == ("central", 2.0, 0.01)
    assert check(plain) == []
    local = HIDDEN.replace("noise =", 'mechanism = "local"\nnoise =')
    plan = planfile.parse(local, path=PATH).plan
    assert planfile.plain(plan).dp == plan.dp


def test_delta_is_held_against_the_nodes_that_there_are() -> None:
    fifty = HIDDEN.replace("nodes = 10", "nodes = 101")
    (said,) = lines_of(fifty)
    assert said.startswith("plan.toml, line 15: [dp] delta = 0.01 is above 1/101")


def test_an_epsilon_that_the_noise_does_not_keep_is_refused_by_line() -> None:
    (said,) = lines_of(HIDDEN.replace("delta = 0.01", "delta = 0.01\nepsilon = 1.0"))
    assert said.startswith("plan.toml, line 14: [dp] noise = 2 is too little")


def test_a_plan_without_a_population_says_what_is_missing() -> None:
    said = lines_of(GOOD.split("[population]", maxsplit=1)[0])
    assert len(said) == 1
    assert "there must be a key `population`" in said[0]


def test_whatever_does_not_fit_is_said_at_once_by_line_and_key() -> None:
    bad = GOOD.replace('"digits"', '"digitz"').replace("nodes = 10", 'nodes = 5\nsplit = "no:1"')
    said = lines_of(bad)
    assert [line.split(":")[0] for line in said] == [
        "plan.toml, line 4",
        "plan.toml, line 8",
        "plan.toml, line 9",
    ]
    assert "[rounds] start_with = 10: raise nodes or lower" in said[1]


def test_wrong_keys_and_types_are_said_together() -> None:
    bad = GOOD.replace("spread = 0.5", "sprad = 0.5").replace("start_with = 10", 'maximum = "x"')
    said = lines_of(bad)
    assert any("line 6: [rounds] maximum: Expected `int`" in line for line in said)
    assert any("line 10: [population.speed] sprad" in line for line in said)


def test_a_file_that_is_not_there_says_where_to_find_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; docs/simulation\.md"):
        planfile.read(tmp_path / "no.toml")
