"""The whole drill on digits: the plain update gives all away, a sum less, noise nothing."""

import numpy as np
import pytest

from fedtui.errors import ExitCode
from fedtui.leakage.cohort import View
from fedtui.leakage.drill import SUCCESS, DrillError, Report, Strip, Wishes, drill
from fedtui.leakage.inversion import Search
from fedtui.rounds.plan import FederationSection, Plan, TaskSection

PLAN = Plan(federation=FederationSection(name="f"), task=TaskSection(name="digits"))


@pytest.fixture(scope="module")
def drilled() -> tuple[Report, Strip]:
    wishes = Wishes(
        examples=2, members=16, epsilons=(8.0,), repetitions=4, search=Search(steps=200)
    )
    report, strips = drill(PLAN, wishes)
    assert len(strips) == 4
    return report, strips[0]


def ssim(report: Report, nodes: int, epsilon: float | None = None) -> float:
    best = report.best(View(nodes=nodes, epsilon=epsilon))
    assert best is not None
    return best.mean


def auroc(report: Report, nodes: int, epsilon: float | None = None) -> float:
    view = View(nodes=nodes, epsilon=epsilon)
    return max(one.mean for one in report.auroc if one.view == view)


def test_G1_the_plain_update_gives_pictures_away_and_noise_none(
    drilled: tuple[Report, Strip],
) -> None:
    report, _ = drilled
    assert ssim(report, 1) > SUCCESS
    assert ssim(report, 1) > report.guess[1] + 0.3
    for nodes in (1, 3, 10):
        assert ssim(report, nodes, 8.0) < SUCCESS
        assert ssim(report, nodes, 8.0) < report.guess[nodes]


def test_G2_members_are_told_from_the_plain_update_less_from_sums_and_not_from_noise(
    drilled: tuple[Report, Strip],
) -> None:
    report, _ = drilled
    assert auroc(report, 1) > 0.9 > auroc(report, 10)
    noisy = [one.mean for one in report.auroc if one.view == View(nodes=1, epsilon=8.0)]
    assert np.mean(noisy) == pytest.approx(0.5, abs=0.15)


def test_every_view_has_its_figures_and_a_picture(drilled: tuple[Report, Strip]) -> None:
    report, strip = drilled
    views = {View(nodes=n, epsilon=e) for n in (1, 3, 10) for e in (None, 8.0)}
    assert {one.view for one in report.ssim} == {one.view for one in report.auroc} == views
    assert strip.made.keys() == views
    assert all(one.shape == (1, 8, 8) for one in [strip.original, *strip.made.values()])
    for figure in (*report.ssim, *report.auroc):
        assert figure.low <= figure.mean <= figure.high


def test_equal_seeds_give_equal_reports() -> None:
    wishes = Wishes(
        members=4, cohorts=(1, 3), epsilons=(8.0,), repetitions=1, search=Search(steps=3)
    )
    assert drill(PLAN, wishes)[0] == drill(PLAN, wishes)[0]


def test_more_examples_than_there_are_are_refused() -> None:
    with pytest.raises(DrillError, match="has 1437 examples, this drill needs 11000") as raised:
        drill(PLAN, Wishes(members=1000))
    assert raised.value.exit_code == ExitCode.BAD_CONFIG
