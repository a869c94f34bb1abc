"""Population: its nodes are as the section says, and what does not fit is said at once."""

import dataclasses
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import plugins
from fedtui.rounds.plan import (
    FederationSection,
    Plan,
    PrivacySection,
    RoundsSection,
    SelectionSection,
    TaskSection,
)
from fedtui.rounds.plan import check as plan_check
from fedtui.simulation.population import (
    AvailabilitySection,
    DropoutSection,
    MaliceSection,
    NetworkSection,
    Population,
    ShiftSection,
    SpeedSection,
    check,
    traits,
)
from fedtui.tomlfile import ConfigError, parse

VISIBLE = Plan(
    federation=FederationSection(name="many"),
    task=TaskSection(name="digits"),
    privacy=PrivacySection(updates="visible"),
)
MASKED = msgspec.structs.replace(VISIBLE, privacy=PrivacySection())
ATTACK = "sign_flip"

WHOLE = """
nodes = 100
data = ""
split = "dirichlet:0.5"
seed = 7
[shift]
name = "brightness"
strength = 0.2
[speed]
examples_per_s = 500
spread = 0.5
[network]
latency_ms = 40
jitter_ms = 10
up_mbit = 5
down_mbit = 20
spread = 0.3
[availability]
kind = "sessions"
online_s = 3600
offline_s = 1800
[dropout]
training = 0.1
back_after_s = [10, 20]
[[malice]]
attack = "sign_flip"
fraction = 0.1
"""


def chosen(**of_selection: object) -> Plan:
    return msgspec.structs.replace(VISIBLE, selection=SelectionSection(**of_selection))


def test_a_section_is_read_from_toml() -> None:
    population = parse(WHOLE, Population, path=Path("plan.toml"))
    assert population.nodes == 100
    assert population.speed == SpeedSection(examples_per_s=500, spread=0.5)
    assert population.dropout.back_after_s == (10, 20)
    assert population.malice == (MaliceSection(attack=ATTACK, fraction=0.1),)
    assert check(population, VISIBLE) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "nodes = 1",
        "nodes = 10001",
        "split = 'iid'",
        "nodes = 9\ncolour = 1",
        "nodes = 9\n[speed]\nspread = 9",
        "nodes = 9\n[network]\nup_mbit = 0",
        "nodes = 9\n[shift]\nname = 'fog'",
        "nodes = 9\n[shift]\nstrength = nan",
        "nodes = 9\n[availability]\nkind = 'never'",
        "nodes = 9\n[availability]\nonline_s = inf",
        "nodes = 9\n[dropout]\ntraining = 1.0",
        "nodes = 9\n[dropout]\nback_after_s = [1]",
        "nodes = 9\n[[malice]]\nattack = '../x'\nnodes = 1",
    ],
)
def test_what_is_out_of_bounds_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError):
        parse(wrong, Population, path=Path("plan.toml"))


@given(st.integers(0, 2**53), st.integers(2, 200), st.integers(0, 200))
def test_traits_follow_from_the_seed_and_keep_when_nodes_are_added(
    seed: int, nodes: int, more: int
) -> None:
    def made(num: int) -> list:
        return traits(
            Population(nodes=num, speed=SpeedSection(spread=1), network=NetworkSection(spread=1)),
            seed,
        )

    assert made(nodes) == made(nodes + more)[:nodes]
    assert [t.index for t in made(nodes)] == list(range(nodes))


def test_a_seed_of_its_own_makes_a_population_independent_of_the_plans() -> None:
    own = Population(nodes=5, seed=3, speed=SpeedSection(spread=1))
    assert traits(own, 1) == traits(own, 2)
    without = msgspec.structs.replace(own, seed=None)
    assert traits(without, 1) != traits(without, 2)
    assert traits(without, 3) == traits(own, 1)


def test_without_a_spread_all_nodes_are_alike() -> None:
    network = NetworkSection(latency_ms=50, jitter_ms=7, up_mbit=8, down_mbit=16)
    nodes = traits(Population(nodes=3, network=network), 1)
    for node in nodes:
        assert node.examples_per_s == 2000
        assert (node.link.latency_s, node.link.jitter_s) == pytest.approx((0.05, 0.007))
        assert (node.link.up_bytes_per_s, node.link.down_bytes_per_s) == (1e6, 2e6)
        assert (node.attack, node.attack_options) == ("", {})


def test_spreads_are_lognormal_around_the_median_and_independent() -> None:
    population = Population(
        nodes=10_000, speed=SpeedSection(spread=0.5), network=NetworkSection(spread=0.8)
    )
    nodes = traits(population, 1)
    logs = np.log(
        [
            [
                n.examples_per_s / 2000,
                n.link.latency_s / 0.02,
                n.link.up_bytes_per_s / 12.5e6,
                n.link.down_bytes_per_s / 12.5e6,
            ]
            for n in nodes
        ]
    )
    np.testing.assert_allclose(logs.mean(axis=0), 0, atol=5 * 0.8 / 100)
    np.testing.assert_allclose(logs.std(axis=0), [0.5, 0.8, 0.8, 0.8], rtol=0.05)
    assert np.abs(np.corrcoef(logs.T) - np.eye(4)).max() < 0.05
    jitter = [n.link.jitter_s / n.link.latency_s for n in nodes]
    np.testing.assert_allclose(jitter, 0.25)


@given(
    st.integers(0, 2**53),
    st.integers(2, 300),
    st.floats(0.01, 0.5),
    st.integers(1, 150),
)
def test_as_many_attack_as_the_section_says_and_the_seed_says_who(
    seed: int, nodes: int, fraction: float, number: int
) -> None:
    number = min(number, nodes // 2)
    malice = (
        MaliceSection(attack=ATTACK, fraction=fraction),
        MaliceSection(attack="scaling", nodes=number, options={"factor": 3.0}),
    )
    population = Population(nodes=nodes, malice=malice)
    found = [t.attack for t in traits(population, seed)]
    assert found.count(ATTACK) == round(fraction * nodes)
    assert found.count("scaling") == number
    assert found == [t.attack for t in traits(population, seed)]
    options = {repr(t.attack_options) for t in traits(population, seed) if t.attack == "scaling"}
    assert options == {"{'factor': 3.0}"}


def test_attackers_are_spread_over_the_nodes() -> None:
    population = Population(nodes=1000, malice=(MaliceSection(attack=ATTACK, fraction=0.3),))
    where = [t.index for t in traits(population, 1) if t.attack]
    assert np.mean(where) == pytest.approx(500, abs=5 * 1000 / np.sqrt(12 * 300))
    assert where != [t.index for t in traits(population, 2) if t.attack]


def test_a_default_population_fits() -> None:
    assert check(Population(nodes=10), VISIBLE) == []
    assert check(Population(nodes=10), MASKED) == []
    assert check(Population(nodes=10_000), MASKED) == []


@pytest.mark.parametrize(
    ("population", "plan", "said"),
    [
        (Population(nodes=5), chosen(count=6), r"count = 6: raise nodes or lower \[selection\]"),
        (Population(nodes=5), chosen(minimum=6), "each round needs 6"),
        (Population(nodes=2), MASKED, r"each round needs 3: raise nodes or lower \[privacy\]"),
        (
            Population(nodes=5),
            msgspec.structs.replace(VISIBLE, rounds=RoundsSection(start_with=9)),
            "start_with = 9",
        ),
        (Population(nodes=5, split="thirds"), VISIBLE, "split: split 'thirds' is not known"),
        (Population(nodes=5, split="shards:x"), VISIBLE, "whole number"),
        (Population(nodes=5, split="none/such.npz"), VISIBLE, "no index file none/such.npz"),
        (Population(nodes=5, data="none/such"), VISIBLE, "data: none/such does not exist"),
        (Population(nodes=5, malice=(MaliceSection(attack=ATTACK),)), VISIBLE, "by either"),
        (
            Population(nodes=5, malice=(MaliceSection(attack=ATTACK, nodes=1, fraction=0.2),)),
            VISIBLE,
            "by either",
        ),
        (
            Population(nodes=5, malice=(MaliceSection(attack=ATTACK, fraction=0.01),)),
            VISIBLE,
            "is nobody",
        ),
        (
            Population(nodes=5, malice=(MaliceSection(attack="shouting", nodes=1),)),
            VISIBLE,
            "no 'shouting'.*there are: .*sign_flip",
        ),
        (
            Population(
                nodes=5, malice=(MaliceSection(attack=ATTACK, nodes=1, options={"loud": 1}),)
            ),
            VISIBLE,
            "does not take these options",
        ),
        (
            Population(
                nodes=10,
                malice=(
                    MaliceSection(attack=ATTACK, fraction=0.6),
                    MaliceSection(attack=ATTACK, nodes=5),
                ),
            ),
            VISIBLE,
            "11 nodes attack in all, but there are 10",
        ),
        (
            Population(nodes=10, availability=AvailabilitySection(kind="daily", share=0.01)),
            VISIBLE,
            "0.1, and 2 must be",
        ),
        (
            Population(
                nodes=100,
                availability=AvailabilitySection(kind="sessions", online_s=1, offline_s=999),
            ),
            chosen(minimum=50),
            "availability: 0.001 of 100",
        ),
        (
            Population(nodes=100, dropout=DropoutSection(training=0.9)),
            chosen(minimum=80),
            "stay to the end on average, and 80 must",
        ),
        (
            Population(nodes=100, dropout=DropoutSection(sharing=0.5, confirming=0.6)),
            MASKED,
            "dropout: of 100 nodes in a round 20",
        ),
        (
            Population(nodes=5, dropout=DropoutSection(back_after_s=(9, 3))),
            VISIBLE,
            "shorter one first",
        ),
    ],
)
def test_each_conflict_is_said_with_a_cure(population: Population, plan: Plan, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        assert check(population, plan) == []
    found = check(population, plan)
    assert len(found) == 1
    assert found[0].startswith("[population] ")


def test_phases_of_masked_rounds_do_not_matter_without_masks() -> None:
    population = Population(nodes=100, dropout=DropoutSection(sharing=0.9, confirming=0.9))
    assert check(population, chosen(minimum=80)) == []
    assert check(population, MASKED) != []


def test_all_conflicts_are_said_at_once() -> None:
    population = Population(
        nodes=5,
        split="thirds",
        malice=(MaliceSection(attack="shouting", fraction=0.01),),
        dropout=DropoutSection(back_after_s=(9, 3)),
    )
    assert len(check(population, chosen(count=6))) == 5


def test_an_index_file_that_is_there_will_do(tmp_path: Path) -> None:
    path = tmp_path / "split.npz"
    np.savez(path, p0=[1], p1=[0])
    assert check(Population(nodes=2, split=str(path)), VISIBLE) == []


DOCUMENT = Path(__file__).parents[3] / "docs" / "simulation.md"


class PlanFile(Plan, frozen=True, kw_only=True):
    population: Population


def test_the_whole_file_of_the_document_is_one_that_fits() -> None:
    text = DOCUMENT.read_text().partition("```toml\n")[2].partition("```")[0]
    whole = parse(text, PlanFile, path=DOCUMENT)
    plan = Plan(**{name: getattr(whole, name) for name in Plan.__struct_fields__})
    assert plan_check(plan) == []
    assert check(whole.population, plan) == []


@pytest.mark.parametrize(
    ("header", "section"),
    [
        ("### `[population]`", Population),
        ("### `[population.shift]`", ShiftSection),
        ("### `[population.speed]`", SpeedSection),
        ("### `[population.network]`", NetworkSection),
        ("### `[population.availability]`", AvailabilitySection),
        ("### `[population.dropout]`", DropoutSection),
        ("### `[[population.malice]]`", MaliceSection),
    ],
)
def test_the_document_has_every_key_with_its_default(header: str, section: type) -> None:
    rows = DOCUMENT.read_text().partition(f"{header}\n")[2].partition("\n#")[0].splitlines()
    told = {}
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if row.startswith("| `") and len(cells) == 3:
            told[cells[0].strip("`")] = cells[1].strip("`")
    for field in msgspec.structs.fields(section):
        if isinstance(field.default, msgspec.Struct) or field.name == "malice":
            continue  # a table of its own
        if field.required:
            assert told.pop(field.name) == "required"
        elif field.default is None:
            assert told.pop(field.name) in {"", "the plan's"}
        elif field.default is msgspec.NODEFAULT:
            assert json.loads(told.pop(field.name)) == field.default_factory()
        else:
            said = json.loads(told.pop(field.name))
            assert said == json.loads(json.dumps(field.default)), field.name
    assert told == {}, "the document has keys that do not exist"


def test_the_document_has_every_attack_with_its_options() -> None:
    text = DOCUMENT.read_text().partition("## Attacks\n")[2]
    for name in plugins.names("attacks"):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        for field in dataclasses.fields(plugins.build("attacks", name)):
            default = "" if field.default is None else f" {field.default:g}"
            assert f"`{field.name}`{default}" in row, f"{name}: {field.name}"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_so_large_a_part_is_slow_and_stays_so_when_nodes_are_added(share: float) -> None:
    def speeds(num: int) -> list[float]:
        slow = SpeedSection(examples_per_s=100.0, slow=share, slow_factor=4.0)
        return [one.examples_per_s for one in traits(Population(nodes=num, speed=slow), 5)]

    assert set(speeds(50)) <= {25.0, 100.0}
    assert abs(speeds(50).count(25.0) - share * 50) < 1
    assert speeds(80)[:50] == speeds(50)


def test_each_node_declares_one_of_the_values_and_keeps_it_when_nodes_are_added() -> None:
    declare = {"site": ["north", "south"], "age": ["old"]}
    few, many = (traits(Population(nodes=num, declare=declare), 5) for num in (100, 150))
    assert [one.declared for one in many[:100]] == [one.declared for one in few]
    assert {name for one in few for name, _ in one.declared} == {"age", "site"}
    sites = [dict(one.declared)["site"] for one in few]
    assert 30 < sites.count("north") < 70
