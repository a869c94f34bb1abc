"""A plan whose aggregator does not fit is refused before round one, with the numbers in it."""

from typing import Any

import msgspec
import pytest

from fedtui import plugins
from fedtui.aggregators.base import View
from fedtui.crypto.keys import fingerprint
from fedtui.rounds import robust
from fedtui.rounds.plan import Plan, check


def plan(name: str, options: dict[str, Any] | None = None, **more: Any) -> Plan:
    mix = {"mix": more.pop("mix")} if "mix" in more else {}
    found = {
        "federation": {"name": "f"},
        "task": {"name": "digits"},
        "privacy": {"updates": "visible"},
        "selection": {"minimum": 7},
        "aggregator": {"name": name, "options": options or {}} | mix,
    }
    return msgspec.convert(found | more, Plan)


@pytest.mark.parametrize("name", plugins.names("aggregators"))
@pytest.mark.parametrize("mix", [None, 0.2, 3])
def test_every_aggregator_fits_a_visible_plan(name: str, mix: float | None) -> None:
    guided = plugins.build("aggregators", name).guided
    options = {"root": fingerprint(b"r" * 32)} if guided else {}
    found = check(plan(name, options, mix=mix, selection={"minimum": 10}))
    assert len(found) == (guided and mix is not None)


def test_without_a_word_it_is_the_mean_of_sums() -> None:
    usual = msgspec.convert({"federation": {"name": "f"}, "task": {"name": "digits"}}, Plan)
    assert usual.aggregator.name == "mean"
    assert robust.view(usual) is View.SUM
    assert check(usual) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (plan("medan"), "did you mean 'median'"),
        (plan("krum", {"kep": 2}), "no such option, did you mean 'keep'"),
        (plan("krum", {"bad": 0.6}), "bad is 0.6"),
        (plan("krum", {"keep": 1.5}), "keep is 1.5"),
        (plan("median", mix=0.7), "[aggregator] mix: 0.7, expected"),
        (plan("median", mix=1.5), "[aggregator] mix: 1.5, expected"),
        (plan("median", selection={"minimum": 2}), "median needs at least 3 updates"),
        (plan("krum", {"bad": 3}), "krum needs at least 9 updates to reckon with 3 bad ones"),
        (plan("krum", {"bad": 3}), "there are 7 in a round of 7 nodes"),
        (plan("bulyan", {"bad": 2}), "at least 11 updates to reckon with 2 bad ones"),
        (plan("bulyan", {"bad": 0.2}), "at least 11 updates to reckon with 2 bad ones"),
        (plan("trimmed_mean", {"bad": 4}), "at least 9 updates to leave out 4 twice"),
        (plan("median", mix=4), "mix with 4 bad updates needs at least 9"),
        (plan("median", weights={"cap": 9}), "[weights] cap: median gives every update one vote"),
        (plan("mean", mix=1, weights={"cap": 9}), "[weights] cap"),
        (plan("median", strategy={"name": "fednova"}), "fednova goes by the mean"),
        (plan("median", privacy={}), "median must see more than the sum"),
        (plan("mean", mix=1, privacy={}), "mean with mix must see more than the sum"),
    ],
)
def test_what_does_not_fit_is_said_with_a_cure(bad: Plan, said: str) -> None:
    found = check(bad)
    assert len(found) == 1, found
    assert said in found[0]


def test_a_size_that_only_a_larger_cohort_has_is_found() -> None:
    """A fifth of 10 are 2, of whom bulyan needs 11; of 7 one, and 7 are enough."""
    (said,) = check(plan("bulyan", {"bad": 0.2}, selection={"minimum": 7, "count": 12}))
    assert "there are 10 in a round of 10 nodes" in said
    assert check(plan("bulyan", {"bad": 0.2}, selection={"minimum": 7, "count": 9})) == []


def test_scaffold_and_weights_by_the_plan_are_no_exception() -> None:
    by_plan = {"by": "plan", "attribute": "site", "of": {"a": 2}}
    (said,) = check(plan("krum", weights=by_plan))
    assert "[weights] of: krum gives every update one vote" in said
    assert check(plan("krum", weights={"by": "equal"}, strategy={"name": "scaffold"})) == []
