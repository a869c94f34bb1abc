"""The history: the newest word on each round, bounded, and none the worse for a crash."""

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fedtui.status import PastRound, Step
from node import history
from node.history import History


def past(number: int, attempt: int = 1, **changes: object) -> PastRound:
    found = PastRound(
        number=number,
        attempt=attempt,
        outcome="counted",
        ended_at=float(number),
        steps=(Step(phase="train", state="done", seconds=1.5, num_bytes=7),),
    )
    return msgspec.structs.replace(found, **changes)


def test_the_newest_word_on_a_round_counts_also_in_the_next_life(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    kept = History(path)
    kept.keep("f", past(1))
    kept.keep("f", past(2, outcome="late"))
    kept.keep("f", past(1, score=0.9))
    kept.keep("g", past(1))
    kept.close()
    assert history.rounds(path, 10, federation="f") == (
        past(2, outcome="late"),
        past(1, score=0.9),
    )
    again = History(path)
    again.keep("f", past(3))
    again.close()
    assert history.rounds(path, 2, federation="f") == (past(1, score=0.9), past(3))
    assert len(history.rounds(path, 10)) == 4
    assert history.rounds(path, 0) == ()


def test_no_file_is_no_rounds_and_a_torn_line_takes_no_other_along(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert history.rounds(path, 10) == ()
    kept = History(path)
    kept.keep("f", past(1))
    kept.close()
    with path.open("ab") as file:
        file.write(b'{"federation":"f","pa')
    assert history.rounds(path, 10) == (past(1),)
    kept = History(path)
    kept.keep("f", past(2))
    kept.close()
    assert history.rounds(path, 10) == (past(1), past(2))


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 2)), max_size=120))
def test_the_file_stays_small_and_keeps_the_newest(
    tmp_path_factory, written: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("h") / "history.jsonl"
    kept = History(path, limit=5)
    model: dict[tuple[int, int], PastRound] = {}
    for at, (number, attempt) in enumerate(written):
        one = past(number, attempt, ended_at=float(at))
        kept.keep("f", one)
        model.pop((number, attempt), None)
        model[number, attempt] = one
    kept.close()
    assert path.read_bytes().count(b"\n") <= 20
    assert history.rounds(path, 5) == tuple(model.values())[-5:]
