"""What was spent: on disk before it leaves, each attempt once, whatever crashes in between."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.privacy.spending import Release
from node.budget import Budget, BudgetError

FEDERATION, OTHER = b"f" * 32, b"g" * 32


def opened(path: Path, federation_id: bytes = FEDERATION) -> Budget:
    return Budget(path, federation_id=federation_id, clock=lambda: 7.0)


def test_D4_what_was_spent_is_known_after_a_restart_and_in_its_own_federation(
    tmp_path: Path,
) -> None:
    path = tmp_path / "budget.jsonl"
    one = opened(path)
    assert one.spend(1, 1, 2.0)
    assert one.spend(2, 1, 2.0)
    assert one.spend(2, 2, 3.0), "another attempt has noise of its own"
    assert not one.spend(2, 2, 3.0), "the same one is known"
    one.close()
    assert opened(path).releases == (Release(2.0, 2), Release(3.0, 1))
    other = opened(path, OTHER)
    assert other.releases == ()
    other.spend(1, 1, 5.0)
    assert opened(path, OTHER).releases == (Release(5.0, 1),)
    assert opened(path).releases == (Release(2.0, 2), Release(3.0, 1))


def test_a_torn_line_is_of_what_never_left(tmp_path: Path) -> None:
    path = tmp_path / "budget.jsonl"
    opened(path).spend(1, 1, 2.0)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    again = opened(path)
    assert again.releases == (Release(2.0, 1),)
    assert again.spend(2, 1, 2.0)
    assert opened(path).releases == (Release(2.0, 2),)


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\x00",
        b"{}",
        b'{"at":1.0,"federation":"aa","round":1,"attempt":1,"noise":1.0}',
        b'{"at":1.0,"federation":"' + b"66" * 32 + b'","round":1,"attempt":1,"noise":0.0}',
        b'{"at":1.0,"federation":"' + b"66" * 32 + b'","round":1,"attempt":1,"noise":1e999}',
    ],
)
def test_D4_a_damaged_line_is_no_reason_to_forget(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "budget.jsonl"
    opened(path).spend(1, 1, 2.0)
    kept = path.read_bytes()
    path.write_bytes(line + b"\n" + kept)
    with pytest.raises(BudgetError, match=r"budget.jsonl, line 1: what was spent"):
        opened(path)
    assert path.read_bytes() == line + b"\n" + kept, "it is left as it is"


def test_what_cannot_be_written_is_not_spent(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    path = tmp_path / "budget.jsonl"
    budget = opened(path)
    monkeypatch.setattr("node.lines.os.write", full)
    with pytest.raises(OSError, match="No space"):
        budget.spend(1, 1, 2.0)
    monkeypatch.undo()
    assert budget.releases == ()
    assert budget.spend(1, 1, 2.0)


ATTEMPTS = st.tuples(st.integers(1, 4), st.integers(1, 3))


@given(
    st.lists(st.tuples(ATTEMPTS, st.booleans(), st.integers(0, 200)), max_size=25),
)
def test_D4_whatever_crashes_each_attempt_that_left_stands_there_once(tmp_path_factory, steps):
    """A crash comes before, in or after writing; an update leaves after `spend` returned."""
    path = tmp_path_factory.mktemp("budget") / "budget.jsonl"
    budget, left = opened(path), set()
    for (number, attempt), crashes, cut in steps:
        size = path.stat().st_size
        budget.spend(number, attempt, 2.0)
        written = path.stat().st_size > size
        if crashes:
            budget.close()
            if written and cut:  # in the middle of the line: spend did not return
                data = path.read_bytes()
                path.write_bytes(data[: size + min(cut, len(data) - size - 1)])
            else:
                left.add((number, attempt))
            budget = opened(path)
        else:
            left.add((number, attempt))
    spent = sum(one.count for one in opened(path).releases)
    lines = path.read_text().splitlines()
    assert spent == len(lines) >= len(left)
    assert len(set(lines)) == len(lines)
