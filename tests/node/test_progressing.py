"""No loss is lost on the way to the screen, and what is left is estimated from what was done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import status
from fedtui.status import NodeStatus, TrainingMoved
from node.jobs import Progress
from node.progressing import Progressing


def progress(done: int, *, num_batches: int = 10, num_epochs: int = 3) -> Progress:
    epoch, batch = divmod(done, num_batches)
    return Progress(
        job_id=1,
        epoch=epoch + 1,
        num_epochs=num_epochs,
        batch=batch + 1,
        num_batches=num_batches,
        loss=float(done),
        examples_per_s=50.0,
    )


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.booleans())
def test_every_loss_reaches_the_screen_once_and_in_order(posted: list[bool], again: bool) -> None:
    progressing, seen = Progressing(), NodeStatus()
    for _ in range(1 + again):
        first = progressing.begin()
        seen = status.reduce(seen, TrainingMoved(seq=seen.seq + 1, training=first))
        assert seen.training.losses == ()
        for done, goes in enumerate(posted):
            training = progressing.told(progress(done), 100.0 + done)
            if goes:
                seen = status.reduce(seen, TrainingMoved(seq=seen.seq + 1, training=training))
                progressing.posted()
                assert seen.training.losses == tuple(map(float, range(done + 1)))
        last = progressing.done(200.0)
        assert last is not None
        seen = status.reduce(seen, TrainingMoved(seq=seen.seq + 1, training=last))
        assert seen.training.losses == tuple(map(float, range(len(posted))))
        assert (seen.training.fraction, seen.training.left_s) == (1.0, 0.0)


def test_what_is_left_goes_by_what_was_done_since_the_first_word() -> None:
    progressing = Progressing()
    progressing.begin()
    assert progressing.told(progress(5), 100.0).left_s is None
    training = progressing.told(progress(14), 109.0)
    assert training.fraction == pytest.approx(0.5)
    assert training.left_s == pytest.approx(15.0)
    assert training.reported_at == 109.0
    assert progressing.told(progress(29), 124.0).left_s == 0.0


def test_a_training_of_which_nothing_was_told_has_no_end_either() -> None:
    progressing = Progressing()
    progressing.begin()
    assert progressing.done(1.0) is None
