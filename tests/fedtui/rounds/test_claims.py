from pathlib import Path

import pytest

from fedtui.rounds import claims, masking
from fedtui.rounds.plan import (
    FederationSection,
    Plan,
    PrivacySection,
    SelectionSection,
    TaskSection,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "secure-aggregation.md"


def plan(*, minimum: int = 3, **privacy: int) -> Plan:
    return Plan(
        federation=FederationSection(name="f"),
        task=TaskSection(name="digits"),
        selection=SelectionSection(minimum=minimum),
        privacy=PrivacySection(**privacy),
    )


@pytest.mark.parametrize(
    ("invited", "ready", "threshold", "num_honest"),
    [(3, 3, 3, 2), (4, 4, 3, 2), (4, 3, 3, 2), (5, 5, 4, 2), (10, 10, 7, 3), (100, 100, 61, 30)],
)
def test_the_numbers_are_those_of_the_document(
    invited: int, ready: int, threshold: int, num_honest: int
) -> None:
    claim = claims.of_round(plan(), invited=invited, ready=ready)
    assert (claim.threshold, claim.num_honest) == (threshold, num_honest)
    if ready == invited:
        assert f"| {invited} | {claim.colluders} | {threshold} |" in DOCUMENT.read_text()


def test_no_round_promises_less_than_its_plan() -> None:
    for the_plan in (plan(), plan(colluders=2), plan(minimum=6), plan(minimum=30)):
        least = claims.least_honest(the_plan)
        found = set[int]()
        assert least >= 2
        for invited in range(the_plan.minimum, 101):
            for ready in range(masking.numbers(the_plan, invited).minimum, invited + 1):
                claim = claims.of_round(the_plan, invited=invited, ready=ready)
                found.add(claim.num_honest)
        assert min(found) == least


def test_a_low_threshold_is_what_limits_the_claim() -> None:
    claim = claims.of_round(plan(colluders=2, minimum=9), invited=10, ready=10)
    assert (claim.minimum, claim.threshold, claim.num_honest) == (9, 7, 5)


def test_a_ring_has_the_threshold_of_its_degree() -> None:
    the_plan = plan(colluders=10, dropouts=10, largest_cohort=200)
    claim = claims.of_round(the_plan, invited=200, ready=200)
    assert claim.threshold == 33


def test_the_sentence_names_who_and_over_how_many() -> None:
    assert claims.sentence(claims.of_round(plan(), invited=4, ready=3)) == (
        "the coordinator and up to 1 node in league with it can learn sums only, each over at "
        "least 2 honest nodes; if more are, nothing is promised"
    )


def test_the_sentence_of_a_plan_holds_for_every_cohort() -> None:
    assert claims.of_plan(plan(minimum=30, colluders=2)) == (
        "updates are masked: the coordinator and up to 2 nodes in league with it can learn sums "
        "only, each over at least 15 honest nodes"
    )
    assert "up to a fifth of the cohort (1 node at least) in league" in claims.of_plan(plan())
    large = claims.of_plan(plan(largest_cohort=1000))
    assert "2 honest nodes in cohorts of up to 128; each larger one tells its own" in large
