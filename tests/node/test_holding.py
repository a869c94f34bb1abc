"""A node's strategy goes on from what counted, whatever happened in between."""

from pathlib import Path

import pytest

from node.holding import Holding

FEDERATION = "f" * 64


def trained(holding: Holding, number: int) -> Path | None:
    """A trainer's work in a round: what it began with."""
    before, after = holding.begin(FEDERATION, number)
    after.write_text(f"after {number}")
    return before


@pytest.fixture
def holding(tmp_path: Path) -> Holding:
    return Holding(tmp_path / "held")


def test_what_counted_is_gone_on_from(holding: Holding) -> None:
    assert trained(holding, 3) is None
    holding.settled(FEDERATION, 3, counted=True)
    before = trained(holding, 5)
    assert before is not None
    assert before.read_text() == "after 3"


def test_what_never_counted_leaves_no_trace(holding: Holding, tmp_path: Path) -> None:
    trained(holding, 3)
    assert trained(holding, 4) is None
    assert len(list(tmp_path.rglob("round-*"))) == 1


def test_a_round_that_is_tried_again_begins_with_the_same(holding: Holding) -> None:
    trained(holding, 3)
    holding.settled(FEDERATION, 3, counted=True)
    for _ in range(2):
        before = trained(holding, 4)
        assert before is not None
        assert before.read_text() == "after 3"
    holding.settled(FEDERATION, 4, counted=True)
    before = trained(holding, 4)  # acknowledged, but the attempt came to nothing
    assert before is not None
    assert before.read_text() == "after 3"


def test_what_was_refused_leaves_no_trace_unless_it_counted_after_all(holding: Holding) -> None:
    trained(holding, 3)
    holding.settled(FEDERATION, 3, counted=True)
    trained(holding, 4)
    for counted in (True, False, True):
        holding.settled(FEDERATION, 4, counted=counted)
    before_5, _ = holding.begin(FEDERATION, 5)
    assert before_5 is not None
    assert before_5.read_text() == "after 4"


def test_a_round_that_went_without_the_update_leaves_no_trace(holding: Holding) -> None:
    trained(holding, 3)
    holding.settled(FEDERATION, 3, counted=True)
    holding.settled(FEDERATION, 3, counted=False)
    assert trained(holding, 4) is None


def test_a_receipt_that_comes_twice_changes_nothing(holding: Holding) -> None:
    trained(holding, 3)
    holding.settled(FEDERATION, 3, counted=True)
    holding.settled(FEDERATION, 3, counted=True)
    assert trained(holding, 4) is not None


def test_another_federation_begins_with_nothing(holding: Holding) -> None:
    trained(holding, 3)
    holding.settled(FEDERATION, 3, counted=True)
    assert holding.begin("e" * 64, 4)[0] is None


def test_of_many_rounds_few_files_stay(holding: Holding, tmp_path: Path) -> None:
    for number in range(1, 30):
        trained(holding, number)
        holding.settled(FEDERATION, number, counted=True)
    assert len(list(tmp_path.rglob("round-*"))) == 2


def test_without_anything_held_a_receipt_is_nothing(holding: Holding, tmp_path: Path) -> None:
    holding.settled(FEDERATION, 3, counted=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_held_after_a_round_is_what_counted_by_then(holding: Holding) -> None:
    assert holding.after(FEDERATION, 9) is None
    for number in (3, 5):
        trained(holding, number)
        holding.settled(FEDERATION, number, counted=True)
    trained(holding, 6)
    assert holding.after(FEDERATION, 2) is None
    for number, expected in ((3, 3), (4, 3), (5, 5), (6, 5), (99, 5)):
        found = holding.after(FEDERATION, number)
        assert found is not None
        assert found.read_text() == f"after {expected}"
    assert holding.after("e" * 64, 9) is None


def test_what_is_said_of_a_round_is_of_one_federation(holding: Holding) -> None:
    trained(holding, 3)
    holding.settled(FEDERATION, 3, counted=True)
    holding.settled("e" * 64, 3, counted=False)
    assert holding.after(FEDERATION, 3) is not None
