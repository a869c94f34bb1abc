import pytest

from fedtui.rounds.handing_in import hand_in
from fedtui.rounds.machine import Note, Trained, Upload
from fedtui.rounds.masking_steps import Prepared
from fedtui.rounds.plan import MASKED, VISIBLE
from fedtui.wire.messages import ModelRef, Offer, UpdateHeader

OFFER = Offer(
    incarnation=3,
    round=2,
    attempt=1,
    plan_hash=bytes(32),
    manifest_digest=b"m" * 32,
    model=ModelRef(round=1, digest=bytes(32), num_bytes=20_000),
    cohort_size=3,
    accept_s=1.0,
    deadline_s=2.0,
)
HEADER = UpdateHeader(num_examples=7, sums={"loss_sum": 1.0, "examples": 7.0})


TRAINED = Trained(2, 1, digest=b"t" * 32, num_bytes=20_000, header=HEADER)
PREPARED = Prepared(2, 1, digest=b"p" * 32, num_bytes=23_000, num_saturated=0)


@pytest.mark.parametrize(
    ("prepared", "form", "header"), [(None, VISIBLE, HEADER), (PREPARED, MASKED, None)]
)
def test_what_leaves_is_noted_first_and_only_what_is_visible_has_a_header(
    prepared: Prepared | None, form: str, header: UpdateHeader | None
) -> None:
    leaves = prepared or TRAINED
    note, upload = hand_in(OFFER, TRAINED, prepared, incarnation=4)
    assert isinstance(note, Note)
    assert isinstance(upload, Upload)
    assert (note.form, note.num_bytes, note.digest) == (form, leaves.num_bytes, leaves.digest)
    assert (note.round, note.attempt) == (upload.round, upload.attempt) == (2, 1)
    assert upload.incarnation == 4
    assert (upload.num_bytes, upload.digest) == (leaves.num_bytes, leaves.digest)
    assert (upload.manifest_digest, upload.header) == (b"m" * 32, header)


@pytest.mark.parametrize(
    ("prepared", "what"),
    [
        (None, "update, number of examples, training sums and tau"),
        (PREPARED, "update, training sums and tau"),
    ],
)
def test_what_the_strategy_says_is_noted_by_name(prepared: Prepared | None, what: str) -> None:
    header = UpdateHeader(num_examples=7, sums={"loss_sum": 1.0, "examples": 7.0, "tau": 2.0})
    trained = Trained(2, 1, digest=b"d" * 32, num_bytes=20_000, header=header)
    note, _ = hand_in(OFFER, trained, prepared, incarnation=4)
    assert isinstance(note, Note)
    assert note.what == what


@pytest.mark.parametrize("prepared", [None, PREPARED])
def test_that_nothing_is_noted_beside_an_update_of_which_nothing_is_told(
    prepared: Prepared | None,
) -> None:
    bare = Trained(
        2, 1, digest=b"t" * 32, num_bytes=20_000, header=UpdateHeader(num_examples=1, sums={})
    )
    note, _ = hand_in(OFFER, bare, prepared, incarnation=4)
    assert isinstance(note, Note)
    assert note.what == "update"


def test_what_was_saved_of_an_update_is_noted() -> None:
    smaller = Trained(2, 1, digest=b"d" * 32, num_bytes=5_000, header=HEADER)
    note, _ = hand_in(OFFER, smaller, incarnation=4)
    assert isinstance(note, Note)
    assert note.what == "update (25% of its 0.02 MB), number of examples and training sums"
