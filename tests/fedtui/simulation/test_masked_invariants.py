"""The invariants under masks, each with the bugs that it is there for, one at a time."""

import hashlib
from dataclasses import replace

import msgspec
import pytest
from masked_worlds import at, attempts, masked_plan

from fedtui.rounds import masking
from fedtui.rounds.federation import Federation
from fedtui.rounds.machine import Note, Persist
from fedtui.rounds.masked import MaskedAttempt
from fedtui.rounds.masked_participant import MaskedParticipant
from fedtui.rounds.masked_round import MaskedRound
from fedtui.rounds.masked_work import MaskedWork
from fedtui.rounds.records import SurvivorsChosen
from fedtui.secagg import context, encoding, masks
from fedtui.secagg.coordinator import Coordinator
from fedtui.secagg.participant import Participant
from fedtui.simulation.invariants import InvariantError
from fedtui.simulation.world import World
from fedtui.wire.masked_messages import Survivors


def world(**more: object) -> World:
    return World(seed=3, num_nodes=5, plan=masked_plan(start_with=5, **more))


def run(rounds: int = 2) -> World:
    made = world()
    made.run(rounds=rounds, seconds=60)
    made.invariants.remembered()
    return made


def test_nothing_is_caught_in_machines_as_they_are() -> None:
    assert run().rounds_done == 2


# ---- I2: exactly the survivors


def test_I2_divided_by_heads_instead_of_weights(monkeypatch) -> None:
    monkeypatch.setattr(masking, "share_of_full", lambda _plan, _scalars, num: float(num))
    with pytest.raises(InvariantError, match="I2"):
        run()


def test_I2_a_weight_in_the_vector_that_is_not_the_one_it_was_scaled_with(monkeypatch) -> None:
    original = MaskedWork.prepare

    def prepare(self, trained):
        made = original(self, trained)
        return replace(made, scalars=made.scalars | {"weight": 2 * made.scalars["weight"]})

    monkeypatch.setattr(MaskedWork, "prepare", prepare)
    with pytest.raises(InvariantError, match="I2"):
        run()


def test_I2_values_cut_where_they_need_not_be(monkeypatch) -> None:
    original = masks.masked

    def masked(layout, update_D, scalars, **rest):
        return original(layout, update_D.clip(-0.05, 0.05), scalars, **rest)

    monkeypatch.setattr(masks, "masked", masked)
    with pytest.raises(InvariantError, match="I2"):
        run()


def test_I2_a_sum_without_one_survivor_if_the_guard_does_not_look(monkeypatch) -> None:
    """Two bugs: one alone ends in an abort (P2), because what opens is noise."""
    original = MaskedRound._open

    def without_the_last(self, now):
        *effects, aggregate = original(self, now)
        return [*effects, replace(aggregate, contributions=aggregate.contributions[:-1])]

    monkeypatch.setattr(MaskedRound, "_open", without_the_last)
    made = world()
    made.run(seconds=3)
    assert made.rounds_done == 0
    assert "does not come from 5 whole vectors" in made.coordinator.machine.failures[0]

    decode = encoding.decode

    def blind(layout, words_C, index, num):
        words_C[0] = num
        return decode(layout, words_C, index, num)

    monkeypatch.setattr(encoding, "decode", blind)
    monkeypatch.setattr(masking, "share_of_full", lambda _plan, _scalars, num: float(num))
    with pytest.raises(InvariantError, match="I2"):
        run()


def test_I2_survivors_chosen_again_after_a_restart(monkeypatch) -> None:
    original = MaskedRound.resume

    def resume(self, attempt, now):
        effects = original(self, attempt, now)
        return [Persist(SurvivorsChosen(1, 1, nodes=attempt.survivors)), *effects]

    monkeypatch.setattr(MaskedRound, "resume", resume)
    made = at(world(), "VOTING")
    made.coordinator.crash()
    with pytest.raises(InvariantError, match="I2"):
        made.coordinator.restart()


# ---- I4: one survivor set


def second_set(made: World) -> None:
    """The coordinator lies: it names a second set to a node that voted, one node fewer."""
    attempt = made.coordinator.machine.attempt
    assert attempt is not None
    (secret,) = attempt.secret.groups.values()
    name = attempt.survivors[0]
    while not made.nodes[name].journal:
        made.clock.step()
    fewer = secret.survivors[:-1]
    named = context.survivors_digest(secret._context3, fewer)
    lie = Survivors(
        incarnation=1,
        round=attempt.round,
        attempt=attempt.attempt,
        nodes=fewer,
        signature=made.keys.sign(context.SURVIVORS, named),
    )
    made.nodes[name].hear(lie)


def test_I4_P2_a_node_that_goes_along_with_a_second_set(monkeypatch) -> None:
    made = at(world(), "VOTING")
    second_set(made)  # refused by the node as it is
    told = [tell.text for node in made.nodes.values() for tell in node.told]
    assert any("a second, different survivors" in text for text in told)

    monkeypatch.setattr(Participant, "vote", Participant._vote)
    with pytest.raises(InvariantError, match="I4"):
        second_set(at(world(), "VOTING"))


def burning_forgotten(monkeypatch) -> None:
    """The coordinator repeats a round whose survivors voted already."""

    def after_failure(self) -> None:
        self._enter(type(self.phase).FAILED)

    monkeypatch.setattr(MaskedAttempt, "_enter_failed", after_failure)


def repeated_round() -> World:
    made = at(world(), "REVEALING")
    for text in ("n1", "n2"):
        made.nodes[made.name(text)].stall()
    made.run(seconds=9)
    made.heal()
    made.run(seconds=20)
    return made


@pytest.mark.parametrize("forgets", ["memory", "both"])
def test_I4_R2_a_round_repeated_by_nodes_that_forgot_their_vote(monkeypatch, forgets) -> None:
    burning_forgotten(monkeypatch)
    made = repeated_round()
    assert (1, 2) in attempts(made)
    assert made.rounds_done == 0, "nodes as they are refuse"
    if forgets == "memory":
        monkeypatch.setattr(MaskedParticipant, "_note_vote", lambda *_: None)
    else:
        monkeypatch.setattr(MaskedParticipant, "_why_not", lambda *_: None)
    with pytest.raises(InvariantError, match="I4"):
        repeated_round()


# ---- I5: no key twice


def test_I5_entropy_that_repeats_itself() -> None:
    made = world()
    for name, node in made.nodes.items():

        def same(size: int, name: bytes = name) -> bytes:
            return hashlib.shake_256(name).digest(size)

        machine = node.machine
        assert isinstance(machine, MaskedParticipant)
        machine._side = replace(machine._side, entropy=same)
    with pytest.raises(InvariantError, match="I5"):
        made.run(rounds=2, seconds=60)


def test_I5_secrets_kept_for_the_next_attempt(monkeypatch) -> None:
    original = MaskedWork.__init__
    kept: dict[bytes, object] = {}

    def init(self, side, work, *, base=None) -> None:
        original(self, side, work, base=base)
        drawn = kept.setdefault(side.signer.public.id, self._half._drawn)
        self._half._drawn = drawn

    monkeypatch.setattr(MaskedWork, "__init__", init)
    with pytest.raises(InvariantError, match="I5"):
        run()


# ---- I7, I10, I11, I12 in masked rounds


def test_I7_a_phase_written_down_twice(monkeypatch) -> None:
    original = MaskedRound._chosen
    monkeypatch.setattr(
        MaskedRound,
        "_chosen",
        lambda self: [*original(self), Persist(self._phase_record())],
    )
    with pytest.raises(InvariantError, match="I7"):
        run()


def test_I10_a_survivor_that_sent_nothing(monkeypatch) -> None:
    original = MaskedRound._chosen

    def chosen(self):
        effects = original(self)
        record = effects[-1].record
        more = msgspec.structs.replace(record, nodes=(*record.nodes, b"x" * 32))
        return [*effects[:-1], Persist(more)]

    monkeypatch.setattr(MaskedRound, "_chosen", chosen)
    with pytest.raises(InvariantError, match="I10"):
        run()


def test_I11_P3_a_coordinator_that_goes_on_with_too_few(monkeypatch) -> None:
    monkeypatch.setattr(Coordinator, "least", property(lambda _: 1))
    made = at(world(), "MASKING")
    (half,) = made.coordinator.machine.attempt.secret.groups.values()
    monkeypatch.setattr(half, "quorum", 1)
    for text in ("n1", "n2", "n3"):
        made.crash_node(text)
    with pytest.raises(InvariantError, match="I11"):
        made.run(seconds=20)


def test_I12_a_masked_vector_that_is_not_in_the_ledger(monkeypatch) -> None:
    original = MaskedParticipant._send
    monkeypatch.setattr(
        MaskedParticipant,
        "_send",
        lambda *args: [e for e in original(*args) if not isinstance(e, Note)],
    )
    with pytest.raises(InvariantError, match="I12"):
        run()


def test_I6_a_burnt_round_that_a_restart_would_not_know(monkeypatch) -> None:
    """What the machine burns is what a restart reads: the same numbers follow."""
    numbers = []
    for restart in (False, True):
        made = at(world(), "REVEALING")
        for text in ("n1", "n2"):
            made.nodes[made.name(text)].stall()
        made.run(seconds=8.5)
        made.heal()
        if restart:
            made.coordinator.crash()
            made.coordinator.restart()
        made.run(rounds=1, seconds=60)
        assert isinstance(made.coordinator.machine, Federation)
        numbers.append(attempts(made)[:2])
    assert numbers == [[(1, 1), (2, 1)]] * 2
