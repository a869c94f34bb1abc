"""A masked attempt to train: its vectors, its sum, what it makes durable, and its second life."""

import msgspec
import pytest
from desk import MANIFEST
from masked_desk import DEADLINES, NODES, MaskedDesk, node

from fedtui.errors import LocalProtocolError
from fedtui.rounds.cohort import Standing
from fedtui.rounds.history import OpenAttempt, replay
from fedtui.rounds.machine import (
    Aggregated,
    AggregationFailed,
    Joined,
    Persist,
    RefuseUpdate,
    Said,
    Send,
)
from fedtui.rounds.masked import Phase
from fedtui.rounds.records import (
    Audited,
    RoundFailed,
    RoundFinished,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.secagg.coordinator import Frozen
from fedtui.wire.masked_messages import Survivors
from fedtui.wire.messages import Declining, ModelRef, UpdateHeader

P = Phase


def chosen(records: list) -> SurvivorsChosen:
    (record,) = [r for r in records if isinstance(r, SurvivorsChosen)]
    return record


# ---- vectors


def test_the_store_learns_nothing_of_a_single_update() -> None:
    desk = MaskedDesk(6).until(P.VOTING)
    received = [r for r in desk.records if isinstance(r, UpdateReceived)]
    assert len(received) == 6
    assert all(r.weight is None and r.sums == {} for r in received)
    assert all(r.num_bytes == desk.machine.encoding.num_bytes for r in received)
    assert desk.machine.sums == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"header": UpdateHeader(num_examples=3, sums={})}, "nothing of a single one may be said"),
        ({"num_bytes": 16}, "bytes; 16 came"),
        ({"manifest_digest": b"x" * 32}, "a masked update has"),
    ],
)
def test_A2_what_does_not_fit_costs_its_node_only(changes, words: str) -> None:
    assert changes.get("manifest_digest") != MANIFEST
    desk = MaskedDesk(6).until(P.MASKING)
    (refused,) = desk.put(desk.opened(0, **changes))
    assert isinstance(refused, RefuseUpdate)
    assert words in refused.reason
    desk.mask(1, 2, 3, 4, 5)
    assert desk.phase is P.VOTING
    assert node(0) not in desk.machine.survivors


@pytest.mark.parametrize("phase", [P.COLLECTING, P.SHARING, P.VOTING, P.REVEALING])
def test_R6_no_vector_is_taken_out_of_turn(phase) -> None:
    desk = MaskedDesk(6).until(phase)
    (refused,) = desk.put(desk.opened(0, digest=b"x" * 32))
    assert isinstance(refused, RefuseUpdate)
    assert node(0) in desk.machine.awaited


# ---- the sum


def test_survivors_are_frozen_with_their_roster_and_noted_for_the_audit() -> None:
    desk = MaskedDesk(6).until(P.MASKING)
    desk.leave(5)
    desk.mask(0, 1, 2, 3, 4)
    record = chosen(desk.records)
    assert record.nodes == tuple(node(i) for i in range(5))
    frozen = msgspec.msgpack.decode(record.frozen, type=Frozen)
    assert len(frozen.body.entries) == 6
    assert (frozen.included, frozen.survivors) == ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4))
    (note,) = [r for r in desk.records if isinstance(r, Audited)]
    assert note.object == "round 1 attempt 1"
    assert note.detail == f"6 nodes, {desk.machine.secret.context2.hex()}"


def revealed() -> MaskedDesk:
    desk = MaskedDesk(6).until(P.REVEALING)
    desk.reveal(*range(6))
    return desk


def test_sums_are_known_when_the_model_is_and_durable_with_it() -> None:
    desk = revealed()
    effects = desk.aggregated()
    (record,) = [e.record for e in effects if isinstance(e, Persist)]
    assert isinstance(record, RoundFinished)
    assert record.sums == desk.machine.sums == {"examples": 3.0}
    assert desk.machine.committed is not None
    assert desk.aggregated() == [], "once"


def test_liars_are_named_in_the_audit() -> None:
    desk = revealed()
    model = ModelRef(round=1, digest=b"M" * 32, num_bytes=16)
    desk.put(Aggregated(1, 1, model, "1", {}, liars=(node(2),)))
    assert desk.records[-1] == Audited(
        actor="coordinator",
        action="wrong shares",
        object="round 1 attempt 1",
        detail=f"node {node(2).hex()}",
    )
    assert isinstance(desk.records[-2], RoundFinished)


@pytest.mark.parametrize("wrong", [(1, 2), (2, 1)])
def test_another_attempts_aggregation_is_not_taken(wrong) -> None:
    desk = revealed()
    assert desk.put(AggregationFailed(*wrong, reason="x")) == []
    assert desk.phase is P.AGGREGATING
    early = MaskedDesk(6).until(P.REVEALING)
    assert early.put(AggregationFailed(1, 1, reason="x")) == []
    assert early.phase is P.REVEALING


def test_a_sum_that_is_none_burns_the_round() -> None:
    desk = revealed()
    desk.put(AggregationFailed(1, 1, reason="the sum does not come from 6 whole vectors"))
    assert desk.machine.burnt
    assert desk.records[-1] == RoundFailed(
        1, 1, cause="the sum does not come from 6 whole vectors"
    )
    assert replay(desk.records).burnt == 1


@pytest.mark.parametrize("phase", list(P)[:7])
def test_what_is_burnt_is_burnt_for_the_store_too(phase) -> None:
    desk = revealed() if phase is P.AGGREGATING else MaskedDesk(6).until(phase)
    desk._take(desk.machine.abort("ended"))
    burnt = phase in {P.VOTING, P.REVEALING, P.AGGREGATING}
    assert desk.machine.burnt == burnt
    assert replay(desk.records).burnt == (1 if burnt else 0)


# ---- another life


def back(desk: MaskedDesk, *numbers: int) -> None:
    for number in numbers:
        desk.put(Joined(node(number), "participant"))


@pytest.mark.parametrize("phase", [P.VOTING, P.REVEALING, P.AGGREGATING])
@pytest.mark.parametrize("lives", [1, 2])
def test_R1_the_same_set_is_opened_in_another_life(phase, lives: int) -> None:
    desk = revealed() if phase is P.AGGREGATING else MaskedDesk(6).until(phase)
    desk.inbox.clear()
    for _ in range(lives):
        desk.restart()
        back(desk, 5)
    survivors = chosen(desk.records).nodes
    assert desk.effects[0].message.nodes == tuple(range(6))
    back(desk, *range(5))
    told = [m for n in range(6) for m in desk.inbox[node(n)] if isinstance(m, Survivors)]
    assert {m.incarnation for m in told} == set(range(2, lives + 2))
    desk.vote(*range(6))
    assert desk.phase is P.REVEALING
    desk.reveal(*range(6))
    assert desk.sum_is_exact()
    assert desk.machine.survivors == survivors


def test_R1_who_was_lost_before_stays_lost_and_its_masks_are_taken_away() -> None:
    desk = MaskedDesk(6).until(P.MASKING)
    desk.leave(0)
    desk.mask(1, 2, 3, 4, 5)
    desk.restart()
    assert desk.machine.members[node(0)].standing is Standing.LOST
    assert desk.put(Joined(node(0), "participant")) == []
    back(desk, 1, 2, 3, 4)
    desk.vote(1, 2, 3, 4)
    desk.reveal(1, 2, 3, 4)
    desk.wait(1.0)
    assert desk.sum_is_exact()


def test_R1_with_too_few_back_in_time_it_fails_and_the_round_is_burnt() -> None:
    desk = MaskedDesk(6).until(P.VOTING)
    desk.restart()
    back(desk, 0, 1, 2)
    desk.vote(0, 1, 2)
    assert desk.phase is P.VOTING
    assert desk.machine.deadline == desk.now + DEADLINES.reveal_s
    desk.wait(DEADLINES.reveal_s)
    assert "3 of 6 nodes answered, 4 are needed" in desk.machine.failure
    assert replay(desk.records).burnt == 1


def test_R2_survivors_that_lost_their_secrets_cost_only_themselves() -> None:
    desk = MaskedDesk(6).until(P.VOTING)
    desk.restart()
    back(desk, *range(6))
    for number in (0, 1):
        desk.put(Said(node(number), Declining(**desk.which, reason="restarted")))
    desk.vote(2, 3, 4, 5)
    desk.reveal(2, 3, 4, 5)
    assert desk.sum_is_exact()
    assert len(desk.machine.survivors) == 6


@pytest.mark.parametrize("frozen", [b"", None])
def test_only_attempts_with_survivors_can_be_resumed(frozen) -> None:
    desk = MaskedDesk(6)
    nodes = tuple(n.id for n in NODES[:6])
    attempt = OpenAttempt(1, 1, "VOTING", b"0" * 32, nodes, survivors=nodes, frozen=b"")
    if frozen is None:
        attempt = OpenAttempt(1, 1, "MASKING", b"0" * 32, nodes)
    with pytest.raises(LocalProtocolError, match="resumed"):
        desk.machine.resume(attempt, 0.0)


def test_offers_and_answers_name_the_right_life() -> None:
    desk = MaskedDesk(6).until(P.VOTING)
    desk.restart()
    back(desk, 0)
    (told,) = [e for e in desk.effects if isinstance(e, Send)]
    assert told.message.incarnation == 2
    assert desk.machine.secret.attempt.incarnation == 1, "the contexts keep that of the offer"


# ---- what makes the masks -----------------------------------------------------------------------


@pytest.mark.parametrize("keystream", ["chacha20", "aegis256"])
@pytest.mark.parametrize("aes", [(), (0, 1, 2, 4, 5), tuple(range(6))])
def test_a_sum_is_exact_whatever_makes_its_masks(keystream: str, aes: tuple[int, ...]) -> None:
    desk = MaskedDesk(6, keystream=keystream, aes=aes).until(P.MASKING)
    wanted = "aegis256" if keystream == "aegis256" and len(aes) == 6 else "chacha20"
    assert {half.keystream for half in desk.halves} == {wanted}
    desk.leave(3)  # so that masks between pairs are made anew
    left = (0, 1, 2, 4, 5)
    for step in (desk.mask, desk.vote, desk.reveal):
        step(*left)
    assert desk.sum_is_exact()
