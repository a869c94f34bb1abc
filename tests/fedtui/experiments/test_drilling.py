"""Attack drills: what is run under which attack, what comes of it, and what is shown."""

import io
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from fedtui.experiments import drilling
from fedtui.experiments.drilling import Outcome, Report, Wishes
from fedtui.tomlfile import ConfigError

PLAN = """\
[federation]
name = "drilled"
[task]
name = "digits"
[training]
steps = 4
learning_rate = 0.1
[evaluation]
with_evaluator = true
[selection]
minimum = 6
[rounds]
maximum = 4
start_with = 12
[weights]
by = "equal"
[privacy]
group = 3
[aggregator]
name = "median"
[population]
nodes = 12
[[population.malice]]
attack = "scaling"
nodes = 5
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_each_attack_is_run_beside_none_and_beside_the_mean(plan: Path) -> None:
    told: list[str] = []
    wishes = Wishes(plan=plan, attacks=("gaussian",), bad=0.1, rounds=3, beside_mean=True)
    report = drilling.drill(wishes, told.append)
    assert [(one.defence, one.attack) for one in report.outcomes] == [
        ("median, groups of 3", ""),
        ("median, groups of 3", "gaussian"),
        ("mean", ""),
        ("mean", "gaussian"),
    ]
    assert told == [
        "median, groups of 3: no attack ...",
        "median, groups of 3: gaussian ...",
        "mean: no attack ...",
        "mean: gaussian ...",
    ]
    assert (report.num_nodes, report.num_bad, report.metric) == (12, 1, "accuracy")
    _, held, _, ruined = report.outcomes
    assert ruined.lost > held.lost + 0.1, "noise of sigma 1 ruins the mean, not the median"
    assert held.suspects[0] == 1
    again = drilling.drill(wishes, told.append)
    assert again == report, "it follows from the seed"


def test_the_trigger_of_a_backdoor_is_measured(plan: Path) -> None:
    wishes = Wishes(plan=plan, attacks=("backdoor",), bad=0.3, beside_mean=True)
    clean, _, _, taken = drilling.drill(wishes, lambda _: None).outcomes
    assert clean.backdoor < 0.2 < taken.backdoor


def test_the_plain_mean_has_no_gate_no_rule_and_no_bound() -> None:
    document = tomllib.loads(PLAN + "[gate]\ntolerance = 0.1\n")
    document["training"]["update_clip"] = 1.0
    wishes = Wishes(plan=Path("plan.toml"), rounds=7)
    made = tomllib.loads(drilling._text(document, wishes, "sign_flip", mean=True))
    assert "gate" not in made
    assert made["aggregator"] == {"name": "mean"}
    assert made["training"] == {"steps": 4, "learning_rate": 0.1}
    assert made["rounds"]["maximum"] == 7
    assert made["population"]["malice"] == [{"attack": "sign_flip", "fraction": 0.1}]
    kept = tomllib.loads(drilling._text(document, wishes, "", mean=False))
    assert kept["gate"] == {"tolerance": 0.1}
    assert "malice" not in kept["population"]
    assert drilling._defence(document) == "median, groups of 3, clip, gate"


def test_a_plan_that_does_not_hold_together_is_refused_before_any_run(plan: Path) -> None:
    plan.write_text(PLAN.replace('"median"', '"krum"'))
    with pytest.raises(ConfigError, match="krum needs at least"):
        drilling.drill(Wishes(plan=plan), lambda _: None)


def test_what_is_shown() -> None:
    report = Report(
        name="drilled",
        metric="loss",
        num_nodes=10,
        num_bad=2,
        outcomes=(
            Outcome(attack="", defence="mean", score=1.0),
            Outcome(attack="scaling", defence="mean", score=3.0, lost=2.0, rolled_back=4),
            Outcome(attack="sign_flip", defence="mean", failed="round 2 failed"),
            Outcome(attack="backdoor", defence="mean", backdoor=0.5, suspects=(2, 1)),
        ),
    )
    console = Console(file=io.StringIO(), width=120)
    drilling.show(report, console)
    text = console.file.getvalue()
    for part in ("2 of 10 nodes attack drilled: mean", "3.0000", "2.0000", "round 2 failed"):
        assert part in text
    assert "2 bad, 1 honest" in text
    assert "50%" in text


def test_worse_is_more_of_a_loss_and_less_of_an_accuracy() -> None:
    clean = Outcome(attack="", defence="mean", score=1.0)
    bad = Outcome(attack="scaling", defence="mean", score=3.0)
    assert drilling._against(bad, clean, "loss").lost == 2.0
    assert drilling._against(bad, clean, "accuracy").lost == -2.0
