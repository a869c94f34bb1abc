"""A plan whose strategy does not fit is refused before round one, in sentences that help."""

from typing import Any

import msgspec
import pytest

from fedtui import plugins
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.sections import widened
from fedtui.rounds import strategic
from fedtui.rounds.plan import Plan, check

NEEDS = {"fedbuff": {"deadlines": {"late": "buffer"}, "selection": {"count": 2}}}


def plan(name: str, options: dict[str, Any] | None = None, **sections: dict[str, Any]) -> Plan:
    found = {
        "federation": {"name": "f"},
        "task": {"name": "digits"},
        "weights": {"by": "equal"},
        "privacy": {"updates": "visible"},
        "strategy": {"name": name, "options": options or {}},
    }
    return msgspec.convert(found | sections, Plan)


@pytest.mark.parametrize("name", plugins.names("strategies"))
def test_every_strategy_fits_a_plain_plan(name: str) -> None:
    assert check(plan(name, **NEEDS.get(name, {}))) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (plan("fedavgmm"), "did you mean 'fedavgm'"),
        (plan("scafold"), "did you mean 'scaffold'"),
        (plan("fedprox", {"nu": 1}), "no such option, did you mean 'mu'"),
        (plan("fedopt", {"optimiser": "adam"}), "did you mean 'optimizer'"),
        (plan("fedopt", {"optimizer": "adan"}), "adam, yogi, adagrad"),
        (plan("fedprox", {"mu": -1}), "0 < mu"),
        (plan("fedprox", {"mu": "much"}), "mu"),
        (plan("scaffold", training={"optimizer": "adam"}), "optimizer"),
        (plan("scaffold", training={"momentum": 0.9}), "momentum"),
        (plan("scaffold", training={"clip_norm": 1.0}), "clip_norm"),
        (plan("scaffold", training={"update_clip": 1.0}), "update_clip"),
        (plan("scaffold", weights={"by": "examples"}), 'by = "equal"'),
        (plan("scaffold", selection={"count": 3}), "population"),
        (plan("feddyn", selection={"fraction": 0.5}), "population"),
        (plan("feddyn", training={"optimizer": "adamw"}), "optimizer"),
        (plan("qfedavg", weights={"by": "examples"}), 'by = "equal"'),
        (plan("fednova", training={"optimizer": "adam"}), "sgd"),
        (plan("fedper", evaluation={"with_evaluator": True}), "with_evaluator"),
        (plan("fedper", {"stays": "head.*"}), "stays"),
        (plan("ditto", evaluation={"with_evaluator": True}), "with_evaluator"),
        (plan("ditto", {"lam": 0}), "lam"),
    ],
)
def test_what_does_not_fit_is_said_with_a_cure(bad: Plan, said: str) -> None:
    found = check(bad)
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("[")


def test_all_conflicts_are_said_at_once() -> None:
    bad = plan(
        "feddyn",
        {"alhpa": 1},
        training={"optimizer": "adam", "momentum": 0.9},
        weights={"by": "examples"},
        selection={"count": 3},
    )
    assert len(strategic.conflicts(bad)) == 5


def test_a_known_population_allows_selection() -> None:
    assert check(plan("scaffold", {"population": 10}, selection={"count": 3})) == []


def test_momentum_is_reckoned_with_by_fednova() -> None:
    assert check(plan("fednova", training={"momentum": 0.9})) == []


def test_whether_it_fits_is_asked_of_the_models_own_tensors() -> None:
    two = Manifest((TensorSpec("body", (2,)), TensorSpec("head.w", (1,))))
    assert strategic.misfit(plan("fedper"), two) == ""
    assert strategic.staying(plan("fedper"), two) == ("head.w",)
    assert "body, head.w" in strategic.misfit(plan("fedper", {"stays": ["tail"]}), two)
    wide = widened(two, ("control",))
    assert strategic.misfit(plan("scaffold"), wide) == ""
    assert strategic.staying(plan("scaffold"), wide) == ()
    assert "control" in strategic.misfit(plan("scaffold"), two)
    assert strategic.staying(plan("fedper", {"stays": []}), two) == ()


def test_what_a_strategy_moves_is_told_by_its_name() -> None:
    assert strategic.carried(plan("scaffold")) == strategic.held(plan("scaffold")) == ("control",)
    assert strategic.scalars(plan("fednova")) == ("tau",)
    assert strategic.carried(plan("fedavg")) == ()
