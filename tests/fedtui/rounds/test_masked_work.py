"""One node's part in one attempt: its floors, what it prepares, and what it writes down."""

import msgspec
import numpy as np
import pytest
from masked_desk import MaskedDesk, masked_plan
from masked_node import OTHERS, TRAINED, side

from fedtui.errors import LocalProtocolError
from fedtui.learning.training import TrainingSpec
from fedtui.privacy.noise import Noise
from fedtui.rounds.machine import Note, Say
from fedtui.rounds.masked import Phase
from fedtui.rounds.masked_work import Floors, MaskedWork
from fedtui.rounds.masking_steps import Journal
from fedtui.rounds.plan import MASKED, DpSection, WeightsSection
from fedtui.secagg.participant import RefusedError
from fedtui.wire.masked_messages import Mailbox, Roster, Survivors, Votes
from fedtui.wire.messages import Evaluate, Offer


def work(**privacy: object) -> tuple[MaskedDesk, MaskedWork]:
    desk = MaskedDesk(6, **privacy)
    return desk, MaskedWork(side(desk), desk.heard(0, Offer))


# ---- what the node's operator demands


@pytest.mark.parametrize(
    ("privacy", "floors", "size", "words"),
    [
        ({}, {}, 6, None),
        ({}, {"minimum": 4}, 6, "sums of 3 nodes; this node takes part in sums of at least 4"),
        ({"minimum": 4}, {"minimum": 4}, 6, None),
        ({}, {"colluders": 2}, 6, "the plan counts on 1 colluders, this node on 2 or more"),
        ({}, {"colluders": 2}, 10, None),
        ({}, {}, 2, "a cohort of 2 nodes does not fit the plan"),
        ({}, {}, 101, "a cohort of 101 nodes does not fit the plan"),
        ({"largest_cohort": 101}, {}, 101, None),
        ({"minimum": 7}, {}, 6, "a cohort of 6 nodes does not fit the plan"),
    ],
)
def test_P2_a_plan_below_the_floors_is_refused_with_both_numbers(
    privacy, floors, size: int, words: str | None
) -> None:
    desk = MaskedDesk(6)
    made = side(desk, plan=masked_plan(**privacy), floors=Floors(**floors))
    assert made.refuses(size) == words


def test_the_usual_floors_are_those_of_the_design() -> None:
    assert Floors() == Floors(minimum=3, colluders=1, same_model=2)


# ---- what it prepares


def masking(desk: MaskedDesk, one: MaskedWork) -> None:
    desk.accept(*range(6))
    desk.say(0, one.ready())
    desk.ready(*OTHERS)
    (shares,) = one.hear(desk.heard(0, Roster))
    assert isinstance(shares, Say)
    desk.say(0, shares.message)
    desk.share(*OTHERS)
    assert one.hear(desk.heard(0, Mailbox)) == []


def test_nothing_is_masked_before_the_mailbox() -> None:
    desk, one = work()
    with pytest.raises(LocalProtocolError, match="mailbox"):
        one.prepare(TRAINED)
    with pytest.raises(RefusedError):
        one.hear(_foreign(Mailbox))
    assert one.ready() == one.ready()
    assert desk.phase is Phase.INVITING


def _foreign(kind: type):
    """A message of an attempt that this node knows nothing of yet."""
    other = MaskedDesk(6).until(Phase.REVEALING)
    return other.heard(0, kind)


@pytest.mark.parametrize(
    ("weights", "weight", "share"),
    [
        (WeightsSection(), 10.0, 10 / 65_536),
        (WeightsSection(cap=20), 10.0, 0.5),
        (WeightsSection(cap=5), 5.0, 1.0),
        (WeightsSection(by="equal"), 1.0, 1.0),
    ],
)
def test_an_update_is_weighed_as_the_plan_says(weights, weight: float, share: float) -> None:
    desk, _ = work()
    plan = masked_plan()
    plan = type(plan)(
        **{f: getattr(plan, f) for f in plan.__struct_fields__} | {"weights": weights}
    )
    one = MaskedWork(side(desk, plan=plan), desk.heard(0, Offer))
    masking(desk, one)
    prepare = one.prepare(TRAINED)
    assert prepare.scalars["weight"] == weight
    assert prepare.weight == share
    assert (prepare.round, prepare.attempt) == (1, 1)


def test_under_dp_the_guaranteed_honest_nodes_carry_the_noise() -> None:
    desk, _ = work(minimum=4)
    plan = msgspec.structs.replace(
        desk.plan,
        weights=WeightsSection(by="equal"),
        training=TrainingSpec(update_clip=2.0),
        dp=DpSection(mechanism="distributed", noise=1.5),
    )
    one = MaskedWork(side(desk, plan=plan), desk.heard(0, Offer))
    masking(desk, one)
    prepare = one.prepare(TRAINED)
    assert prepare.noise == Noise(clip=2.0, sigma=1.5 * 2.0 / 3**0.5)  # 4 nodes, 1 colludes


def test_sums_that_training_did_not_give_count_nothing() -> None:
    desk, one = work()
    masking(desk, one)
    header = TRAINED.header.__class__(num_examples=10, sums={})
    bare = TRAINED.__class__(1, 1, digest=b"u" * 32, num_bytes=20, header=header)
    assert one.prepare(bare).scalars == {"weight": 10.0, "loss_sum": 0.0, "examples": 0.0}


def test_the_vote_and_the_shares_are_written_down_with_the_same_sets() -> None:
    desk, one = work()
    masking(desk, one)
    assert one.num_survivors == 0
    prepare = one.prepare(TRAINED)
    assert len(prepare.masks.plus) + len(prepare.masks.minus) == 6, "one of its own, five pairs"
    desk.put(desk.opened(0))
    desk.put(desk.arrived(0))
    desk.mask(*OTHERS)
    assert not one.voted
    journal, vote = one.hear(desk.heard(0, Survivors))
    assert one.voted
    desk.say(0, vote.message)
    desk.vote(*OTHERS)
    second, reveal = one.hear(desk.heard(0, Votes))
    assert isinstance(journal, Journal)
    assert (journal.step, second.step) == ("vote", "reveal")
    assert (journal.sets, journal.attempt) == (second.sets, second.attempt)
    assert journal.num_survivors == one.num_survivors == 6
    shared = [share.position for share in reveal.message.selves]
    assert shared == list(range(6))
    assert reveal.message.masks == ()


def test_P2_a_roster_larger_than_the_cohort_that_was_named_is_refused() -> None:
    desk, _ = work()
    small = desk.heard(0, Offer)
    one = MaskedWork(side(desk), small.__class__(**_fields(small) | {"cohort_size": 5}))
    desk.accept(*range(6))
    desk.say(0, one.ready())
    desk.ready(*OTHERS)
    with pytest.raises(RefusedError, match="the roster has 6 nodes; this node takes part with"):
        one.hear(desk.heard(0, Roster))


def _fields(message) -> dict[str, object]:
    return {field: getattr(message, field) for field in message.__struct_fields__}


def test_every_attempt_has_other_secrets_and_an_evaluation_another_context() -> None:
    desk = MaskedDesk(6)
    made, offer = side(desk), desk.heard(0, Offer)
    evaluate = MaskedDesk(6, evaluation=True).heard(0, Evaluate)
    works = [MaskedWork(made, offer), MaskedWork(made, offer), MaskedWork(made, evaluate)]
    assert len({w.ready().mask_key for w in works}) == 3
    assert [w.attempt.purpose for w in works] == ["update", "update", "evaluation"]
    assert works[0].attempt.context() != works[2].attempt.context()


def test_masked_sums_are_noted_by_name_and_size_and_stay_the_same() -> None:
    desk = MaskedDesk(6, evaluation=True)
    one = MaskedWork(side(desk), desk.heard(0, Evaluate))
    sums = {"loss_sum": 1.5, "correct": 2.0, "examples": 3.0}
    desk.say(0, one.measured(sums))
    desk.ready(*OTHERS)
    (shares,) = one.hear(desk.heard(0, Roster))
    desk.say(0, shares.message)
    desk.share(*OTHERS)
    one.hear(desk.heard(0, Mailbox))
    note, said = one.sums()
    assert isinstance(note, Note)
    assert (note.form, note.num_bytes) == (MASKED, one.layout.num_bytes)
    assert one.sums()[1] == said, "two vectors under one mask would give their difference"
    words = np.frombuffer(said.message.words, "<u8")
    assert len(words) == one.layout.num_words
    assert words[0] != 1, "the guard is masked too"
