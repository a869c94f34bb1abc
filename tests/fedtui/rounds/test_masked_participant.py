"""A node's machine under masks: its conversation, its memory, and what it refuses."""

import pytest
from masked_desk import BASE, BOSS, NODES, MaskedDesk, later
from masked_node import OTHERS, TRAINED, MaskedNode

from fedtui.crypto.keys import FINGERPRINT_BYTES, fingerprint
from fedtui.rounds.claims import Claim
from fedtui.rounds.machine import (
    Connected,
    Disconnected,
    DropUpdate,
    FetchModel,
    Heard,
    LocalOperator,
    ModelHere,
    Note,
    Tell,
    Tick,
    Train,
    Upload,
)
from fedtui.rounds.masked_work import Floors
from fedtui.rounds.masking_steps import Journal, Prepare, Prepared
from fedtui.rounds.phases import Phase
from fedtui.rounds.plan import MASKED
from fedtui.secagg import context, masks
from fedtui.wire.masked_messages import (
    Mailbox,
    Ready,
    Reveal,
    Roster,
    Shares,
    Survivors,
    Vote,
    Votes,
)
from fedtui.wire.messages import Abort, Accepting, Declining, ModelRef, Offer, Result

P = Phase
WORKING = [P.FETCHING, P.TRAINING, P.SHARING, P.MASKING, P.UPLOADING, P.CONFIRMING]
MODEL = ModelRef(round=1, digest=b"M" * 32, num_bytes=16)


def kinds(effects: list) -> list[type]:
    return [type(e) for e in effects]


def result(number: int = 1, incarnation: int = 1) -> Result:
    return Result(
        incarnation=incarnation,
        round=number,
        attempt=1,
        model=MODEL,
        num_updates=6,
        counted=True,
        sums={},
    )


def offer(desk, **changes: object) -> Offer:
    return later(desk.heard(0, Offer), **changes)


def revealed() -> MaskedNode:
    node = MaskedNode().until(P.CONFIRMING)
    node.vote()
    node.reveal()
    return node


def test_a_round_step_by_step() -> None:
    node = MaskedNode()
    assert kinds(node.told(Offer)) == [Accepting, FetchModel]
    assert kinds(node.put(ModelHere(BASE.digest))) == [Train]
    assert kinds(node.put(TRAINED)) == [Ready]
    node.desk.accept(*OTHERS)
    node.desk.ready(*OTHERS)
    assert kinds(node.told(Roster)) == [Shares]
    node.desk.share(*OTHERS)
    (prepare,) = node.told(Mailbox)
    assert isinstance(prepare, Prepare)
    assert prepare.scalars == {"weight": 10.0, "loss_sum": 1.0, "examples": 10.0}
    assert prepare.weight == 10 / 65_536
    assert prepare.rounding_seed == masks.rounding_seed(TRAINED.digest)
    note, upload = node.prepared(prepare)
    assert isinstance(note, Note)
    assert isinstance(upload, Upload)
    assert (note.form, note.digest, note.num_bytes) == (MASKED, upload.digest, upload.num_bytes)
    assert upload.header is None
    assert node.deliver() == []
    assert kinds(node.vote()) == [Journal, Vote]
    assert kinds(node.reveal()) == [Journal, Reveal]
    node.desk.reveal(*OTHERS)
    assert kinds(node.hear(result())) == [DropUpdate]
    assert node.phase is P.IDLE
    assert node.machine.masked is None
    assert node.machine.deadline is None


def test_what_it_votes_for_is_written_down_before_it_is_said() -> None:
    node = MaskedNode().until(P.CONFIRMING)
    for said in (node.vote(), node.reveal()):
        journal = said[0]
        assert isinstance(journal, Journal)
        assert (journal.attempt.round, journal.attempt.attempt) == (1, 1)
        assert journal.num_survivors == 6
        assert journal.claim == Claim(invited=6, ready=6, colluders=1, minimum=3, threshold=4)
        assert journal.lost == ()
    assert journal.sets[0] == context.included_context(node.desk.machine.secret.context2, range(6))


# ---- with whom


@pytest.mark.parametrize("unknown", [None, 4])
def test_P2_with_a_node_that_the_operator_did_not_approve_nothing_is_shared(
    unknown: int | None,
) -> None:
    known = frozenset(NODES[n].public.id[:FINGERPRINT_BYTES] for n in OTHERS if n != unknown)
    node = MaskedNode(approved=known).until(P.SHARING)
    node.desk.accept(*OTHERS)
    node.desk.ready(*OTHERS)
    if unknown is None:
        assert kinds(node.told(Roster)) == [Shares]
        return
    said, told = node.told(Roster)
    assert isinstance(said, Declining)
    assert isinstance(told, Tell)
    assert "did not approve" in told.text
    assert fingerprint(NODES[unknown].public.id) in told.text
    assert node.phase is P.IDLE


# ---- repeats


def test_R6_every_message_again_gets_the_same_answer_and_nothing_twice() -> None:
    node = revealed()
    said = {kind: kinds(node.told(kind)) for kind in (Offer, Roster, Mailbox, Survivors, Votes)}
    assert said == {
        Offer: [Accepting],
        Roster: [Shares],
        Mailbox: [Note, Upload],
        Survivors: [Journal, Vote],
        Votes: [Journal, Reveal],
    }
    assert node.phase is P.CONFIRMING


@pytest.mark.parametrize("phase", WORKING)
def test_a_session_that_broke_goes_on_in_the_next(phase) -> None:
    node = MaskedNode().until(phase)
    ready = node.machine.masked and node.machine.masked.ready()
    node.put(Disconnected())
    node.put(Connected())
    effects = node.told(Offer)
    assert isinstance(effects[0], Accepting)
    again = {
        P.FETCHING: [FetchModel],
        P.SHARING: [Ready],
        P.UPLOADING: [Note, Upload],
    }
    assert kinds(effects[1:]) == again.get(phase, [])
    assert node.phase is phase
    if phase is P.SHARING:
        assert effects[1] == ready, "never two keys for one attempt"


def test_a_vector_is_masked_once_per_attempt() -> None:
    node = MaskedNode().until(P.MASKING)
    assert node.told(Mailbox) == [], "while it is masked it is not masked again"
    node.prepared(node.mailbox[-1])
    assert kinds(node.told(Mailbox)) == [Note, Upload]
    assert node.put(Prepared(1, 1, b"other".ljust(32), 1)) == []


def test_the_next_attempt_of_a_round_has_fresh_keys_and_no_second_training() -> None:
    node = MaskedNode().until(P.UPLOADING)
    first = node.machine.masked.ready()
    assert node.hear(Abort(incarnation=1, round=1, attempt=1, reason="few"))
    accepting, ready = node.hear(offer(node.desk, attempt=2))
    assert isinstance(accepting, Accepting)
    assert isinstance(ready, Ready)
    keys = {first.mask_key, first.share_key, ready.mask_key, ready.share_key}
    assert len(keys) == 4
    assert (ready.attempt, first.commitment != ready.commitment) == (2, True)


def test_training_goes_on_for_the_next_attempt_and_is_ready_for_that_one() -> None:
    node = MaskedNode().until(P.TRAINING)
    assert kinds(node.hear(offer(node.desk, attempt=2, incarnation=2))) == [Accepting]
    (ready,) = node.put(TRAINED)  # the job of attempt 1
    assert isinstance(ready, Ready)
    assert (ready.incarnation, ready.round, ready.attempt) == (2, 1, 2)


# ---- what it refuses


def forged(node: MaskedNode, kind: type):
    """What a coordinator that lies would send, rightly signed."""
    message = node.desk.heard(0, kind)
    (secret,) = node.desk.machine.secret.groups.values()
    match kind.__name__:
        case "Roster":
            return later(message, colluders=2)
        case "Mailbox":
            few = (0, 1, 2)
            named = context.included_context(secret.context2, few)
            signature = BOSS.sign(context.MAILBOX, named)
            return later(message, included=few, sealed=message.sealed[:2], signature=signature)
        case "Survivors":
            few = (0, 1, 2, 3, 4)
            named = context.survivors_digest(secret._context3, few)
            return later(message, nodes=few, signature=BOSS.sign(context.SURVIVORS, named))
        case _:
            return later(message, votes=message.votes[:2])


@pytest.mark.parametrize("kind", [Roster, Mailbox, Survivors, Votes])
def test_P2_a_second_different_message_is_refused_said_and_told(kind) -> None:
    node = revealed()
    effects = node.hear(forged(node, kind))
    said = [e for e in effects if isinstance(e, Declining)]
    (told,) = [e for e in effects if isinstance(e, Tell)]
    assert len(said) == 1
    assert told.level == "warning"
    assert told.text.startswith("round 1 attempt 1 is refused: ")
    assert not [e for e in effects if isinstance(e, Vote | Reveal | Journal)]
    assert node.phase is P.IDLE
    assert kinds(node.told(Votes)) == [Declining], "its secrets are gone"


@pytest.mark.parametrize("kind", [Mailbox, Survivors, Votes])
def test_P2_what_comes_out_of_turn_is_refused(kind) -> None:
    spoken = revealed()
    node = MaskedNode().until(P.SHARING)
    effects = node.hear(spoken.desk.heard(0, kind))
    assert kinds(effects) == [Declining, Tell]
    assert "skipped the roster" in effects[1].text
    assert node.standing == "DECLINED"


def test_P2_spoilt_shares_are_told_to_the_operator() -> None:
    node = MaskedNode().until(P.SHARING)
    node.desk.accept(*OTHERS)
    node.desk.ready(*OTHERS)
    node.told(Roster)
    node.desk.share(*OTHERS)
    message = node.desk.heard(0, Mailbox)
    spoilt = later(message.sealed[0], sealed=bytes(104))
    told, prepare = node.hear(later(message, sealed=(spoilt, *message.sealed[1:])))
    assert told == Tell("warning", "round 1: the shares of 1 nodes could not be opened")
    assert isinstance(prepare, Prepare)


# ---- R2: its memory


@pytest.mark.parametrize("kind", [Roster, Mailbox, Survivors, Votes])
def test_R2_a_restarted_node_declines_what_it_lost_the_secrets_for(kind) -> None:
    node = revealed()
    node.machine = node.fresh()
    (said,) = node.told(kind)
    assert isinstance(said, Declining)
    assert (said.round, said.attempt, said.incarnation) == (1, 1, 1)
    assert "restarted" in said.reason
    assert node.hear(later(node.desk.heard(0, kind), incarnation=0)) == [], "it is of another life"
    node.hear(result(3))
    assert node.told(kind) == [], "that round is over"


@pytest.mark.parametrize("remembered", ["journal", "memory"])
def test_R2_a_node_that_voted_joins_no_other_attempt_of_that_round(remembered: str) -> None:
    node = revealed()
    if remembered == "journal":
        node.machine = node.fresh(voted=frozenset({("update", 1)}))
        node.put(Connected())
    for which in ({"attempt": 2}, {"attempt": 3, "incarnation": 2}):
        effects = node.hear(offer(node.desk, **which))
        said = next(e for e in effects if isinstance(e, Declining))
        assert "it voted for a sum of round 1 already" in said.reason
        assert (said.round, said.attempt) == (1, which["attempt"])
    assert kinds(node.hear(offer(node.desk, round=2, incarnation=2)))[-1] is FetchModel


def test_R2_the_update_of_a_round_it_voted_in_is_erased_when_the_attempt_ends() -> None:
    for end in (
        Heard(Abort(incarnation=1, round=1, attempt=1, reason="few")),
        LocalOperator("pause"),
        Tick(),
        Heard(offer(revealed().desk, round=2)),
    ):
        node = revealed()
        assert DropUpdate in kinds(node.put(end, after_s=1000.0 if end == Tick() else 0.0)), end
        waiting = MaskedNode().until(P.CONFIRMING)
        gone = kinds(waiting.put(end, after_s=1000.0 if end == Tick() else 0.0))
        new_round = isinstance(end, Heard) and isinstance(end.message, Offer)
        assert (DropUpdate in gone) == new_round, "without a vote another attempt may want it"


# ---- the same model


def votes_without_result(node: MaskedNode, num: int) -> None:
    for number in range(1, num + 1):
        node.machine._stuck[BASE.digest] += 1
        node.machine._voted.add(("update", number))


def test_sums_on_one_model_without_a_result_are_limited_until_resume() -> None:
    node = revealed()
    assert node.machine._stuck == {BASE.digest: 1}
    node.told(Survivors)
    assert node.machine._stuck == {BASE.digest: 1}, "a repeated vote is one vote"
    node.hear(Abort(incarnation=1, round=1, attempt=1, reason="few"))
    votes_without_result(node, 1)
    declined, told = node.hear(offer(node.desk, round=3))
    assert "2 sums on this model were opened without a result" in declined.reason
    assert "'fedtui resume' allows more" in declined.reason
    assert isinstance(told, Tell)
    other = ModelRef(round=3, digest=b"N" * 32, num_bytes=16)
    assert FetchModel in kinds(node.hear(offer(node.desk, round=4, model=other)))
    node.put(LocalOperator("resume"))
    assert FetchModel in kinds(node.hear(offer(node.desk, round=5)))


def test_a_result_lifts_the_limit_and_a_restart_does_not() -> None:
    node = MaskedNode(stuck={BASE.digest: 2})
    assert kinds(node.told(Offer)) == [Declining, Tell]
    node.hear(result(1))
    assert FetchModel in kinds(node.hear(offer(node.desk, round=2)))
    same = MaskedNode(stuck={BASE.digest: 2})
    same.hear(later(result(1), model=BASE))
    assert kinds(same.hear(offer(same.desk, round=2))) == [Declining, Tell], "it did not move on"
    strict = MaskedNode(stuck={BASE.digest: 1}, floors=Floors(same_model=1))
    assert kinds(strict.told(Offer)) == [Declining, Tell]


# ---- what makes the masks -----------------------------------------------------------------------


@pytest.mark.parametrize("missing", [set(), {0}, {4}])
def test_masks_are_made_as_planned_only_if_every_processor_has_aes(missing: set[int]) -> None:
    aes = tuple({*range(6)} - missing)
    node = MaskedNode(desk=MaskedDesk(6, aes=aes, keystream="aegis256"), aes=0 in aes)
    node.told(Offer)
    node.put(ModelHere(BASE.digest))
    node.put(TRAINED)
    node.desk.accept(*OTHERS)
    node.desk.ready(*OTHERS)
    shares, *told = node.told(Roster)
    assert isinstance(shares, Shares)
    assert [(one.level, "has no AES" in one.text) for one in told] == [("info", True)] * len(told)
    assert len(told) == bool(missing)
    node.desk.share(*OTHERS)
    (prepare,) = node.told(Mailbox)
    assert prepare.masks.keystream == ("chacha20" if missing else "aegis256")


def test_a_plan_of_chacha20_says_nothing_of_processors() -> None:
    node = MaskedNode(aes=True)
    node.told(Offer)
    node.put(ModelHere(BASE.digest))
    node.put(TRAINED)
    node.desk.accept(*OTHERS)
    node.desk.ready(*OTHERS)
    assert kinds(node.told(Roster)) == [Shares]


def test_the_time_for_training_is_that_of_the_work_and_not_of_the_whole_round() -> None:
    node = MaskedNode()
    node.told(Offer)
    (train,) = node.put(ModelHere(BASE.digest))
    assert train.within_s == pytest.approx(0.9 * node.desk.plan.deadlines.update_s)
