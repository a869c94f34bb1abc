"""What every aggregator must hold, run over whatever fedtui/aggregators/ has.

Rules are run as rounds run them: prepared, with the inner products of all updates where they want
them, then chunk by chunk.
"""

import functools
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rows_combined import Rows, aggregate

from fedtui import plugins
from fedtui.aggregators.base import Aggregator, View
from fedtui.rounds import robust

DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
FROM_THE_DOCUMENT = "the one in docs/extending.md"
NAMES = (*plugins.names("aggregators"), FROM_THE_DOCUMENT)
ROBUST = tuple(name for name in NAMES if name != "mean")
MIXES = (None, 0.2)
GUIDED = ("fltrust",)
"""They trust one update, so there is no mixing before them."""
CASES = [
    pytest.param(name, mix, id=f"{name}-{mix}")
    for name in NAMES
    for mix in MIXES
    if mix is None or name not in GUIDED
]
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@functools.cache
def build(name: str) -> Aggregator:
    if name != FROM_THE_DOCUMENT:
        return plugins.build("aggregators", name)  # type: ignore[no-any-return]
    section = DOCUMENT.read_text().partition("## An aggregator\n")[2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clipped_mean.py"
        path.write_text(section.partition("```python\n")[2].partition("```")[0])
        return plugins.build_file(path, None)  # type: ignore[no-any-return]


def some_rows(seed: int, num: int = 11, length: int = 40) -> Rows:
    """Updates about a common direction."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=length) + 0.5 * rng.normal(size=(num, length))).astype(np.float32)


@st.composite
def cohorts(draw: st.DrawFn) -> Rows:
    rows_ND = some_rows(draw(st.integers(0, 2**32)), draw(st.integers(9, 16)))
    if draw(st.booleans()):  # equal updates, and such of equal length
        rows_ND[1] = rows_ND[0]
        rows_ND[2] = -rows_ND[3]
    return rows_ND


def test_the_rules_that_there_must_be_are_there() -> None:
    wanted = {"bulyan", "centred_clip", "geometric_median", "krum", "mean", "median"}
    assert wanted | {"trimmed_mean"} <= set(NAMES)


@pytest.mark.parametrize(("name", "mix"), CASES)
@quick
@given(rows_ND=cohorts(), random=st.randoms(use_true_random=False))
def test_the_order_of_updates_leaves_no_trace(
    name: str, mix: float | None, rows_ND: Rows, random: object
) -> None:
    rule = build(name)
    weights = [1 + 7 * at for at in range(len(rows_ND))]
    order = list(range(len(rows_ND)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    first = aggregate(rule, rows_ND, mix=mix, weights=weights)
    shuffled = [weights[at] for at in order]
    second = aggregate(rule, rows_ND[order], mix=mix, weights=shuffled, guide=order.index(0))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(("name", "mix"), CASES)
def test_the_size_of_chunks_leaves_no_trace(name: str, mix: float | None) -> None:
    rule = build(name)
    rows_ND = some_rows(3, length=9000)
    whole = aggregate(rule, rows_ND, mix=mix)
    assert whole.dtype == np.float64
    for chunk in (2048, 4096, 8999):
        assert aggregate(rule, rows_ND, mix=mix, chunk=chunk).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("name", "mix"), CASES)
@quick
@given(seed=st.integers(0, 2**32), power=st.integers(-4, 4))
def test_twice_the_updates_give_twice_the_result(
    name: str, mix: float | None, seed: int, power: int
) -> None:
    rule = build(name)
    rows_ND = some_rows(seed)
    scale = np.float32(2.0**power)
    scaled_D = aggregate(rule, rows_ND * scale, mix=mix)
    np.testing.assert_allclose(
        scaled_D, float(scale) * aggregate(rule, rows_ND, mix=mix), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(("name", "mix"), CASES)
def test_equal_updates_are_the_result(name: str, mix: float | None) -> None:
    rule = build(name)
    row_D = some_rows(1)[0]
    result_D = aggregate(rule, np.tile(row_D, (9, 1)), mix=mix)
    np.testing.assert_allclose(result_D, row_D, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "mix"), CASES)
def test_no_change_at_all_is_none(name: str, mix: float | None) -> None:
    rule = build(name)
    assert not aggregate(rule, np.zeros((9, 5), np.float32), mix=mix).any()


@pytest.mark.parametrize(("name", "mix"), CASES)
@quick
@given(rows_ND=cohorts())
def test_every_value_lies_between_those_of_the_updates_and_zero(
    name: str, mix: float | None, rows_ND: Rows
) -> None:
    """So no update can push the result out of the range that models are checked for."""
    result_D = aggregate(build(name), rows_ND, mix=mix)
    slack = 1e-6
    assert np.isfinite(result_D).all()
    assert (result_D <= np.maximum(rows_ND.max(axis=0), 0) + slack).all()
    assert (result_D >= np.minimum(rows_ND.min(axis=0), 0) - slack).all()


@pytest.mark.parametrize(("name", "mix"), [case for case in CASES if case.values[0] in ROBUST])
@quick
@given(seed=st.integers(0, 2**32), sign=st.sampled_from([-1, 1]))
def test_one_update_moves_a_robust_rule_no_farther_than_honest_ones_are_apart(
    name: str, mix: float | None, seed: int, sign: int
) -> None:
    rule = build(name)
    honest_ND = some_rows(seed)
    spread = float(np.linalg.norm(honest_ND - honest_ND.mean(axis=0), axis=1).max())
    for size in (1.0, 30.0, 900.0):
        rows_ND = honest_ND.copy()
        rows_ND[4] = sign * size
        result_D = aggregate(rule, rows_ND, mix=mix)
        assert np.linalg.norm(result_D - honest_ND.mean(axis=0)) < 2 * spread


def test_one_update_moves_the_mean_as_far_as_it_likes() -> None:
    honest_ND = some_rows(5)
    rows_ND = honest_ND.copy()
    rows_ND[4] = 900.0
    moved = aggregate(build("mean"), rows_ND) - honest_ND.mean(axis=0)
    assert np.linalg.norm(moved) > 400


@pytest.mark.parametrize("name", NAMES)
def test_who_claims_many_examples_moves_a_rule_only_if_it_weighs(name: str) -> None:
    rule = build(name)
    rows_ND = some_rows(6)
    claimed = aggregate(rule, rows_ND, weights=[2**30, *[1] * (len(rows_ND) - 1)])
    same = claimed.tobytes() == aggregate(rule, rows_ND).tobytes()
    assert same == (not rule.weighs)
    assert rule.weighs == (name == "mean")


@pytest.mark.parametrize("name", ROBUST)
def test_too_few_updates_are_refused_with_the_number_that_is_needed(name: str) -> None:
    rule = build(name)
    fits = [num for num in range(1, 40) if not rule.misfit(num)]
    least = min(fits)
    assert least > 2
    assert fits == list(range(least, 40))
    said = robust.misfit(rule, name, None, least - 1)
    assert said.startswith(f"{name} needs at least {least} updates")
    assert said.endswith(f"and there are {least - 1}")


@pytest.mark.parametrize("name", NAMES)
def test_no_updates_are_no_result(name: str) -> None:
    rule = build(name)
    if rule.by_products and type(rule).combine is Aggregator.combine:
        return  # never called
    with pytest.raises(ValueError, match="update"):
        rule.combine([], [])


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_says_what_it_must_see(name: str) -> None:
    view = build(name).view
    only = {"mean": View.SUM} | dict.fromkeys(GUIDED, View.EACH)
    assert view is only.get(name, View.GROUPS)
    assert build(name).guided == (name in GUIDED)


@pytest.mark.parametrize("name", ["bulyan", "krum", "trimmed_mean"])
@pytest.mark.parametrize("bad", [0, -1, 0.5, 1.5, math.nan, math.inf, "2"])
def test_a_number_of_bad_updates_that_is_none_is_refused(name: str, bad: object) -> None:
    with pytest.raises(plugins.PluginError, match="bad is"):
        plugins.build("aggregators", name, bad=bad)
