"""Each invariant catches the bug it is there for: machines broken on purpose, one at a time."""

from dataclasses import replace

import msgspec
import pytest

from fedtui.rounds.coordinator import Phase, RoundCoordinator
from fedtui.rounds.federation import Federation
from fedtui.rounds.machine import (
    Aggregate,
    Note,
    Persist,
    Said,
    UpdateArrived,
    UpdateOpened,
)
from fedtui.rounds.participant import RoundParticipant
from fedtui.rounds.records import RoundFinished, SurvivorsChosen
from fedtui.simulation.invariants import InvariantError
from fedtui.simulation.node_host import vector_digest
from fedtui.simulation.work import Parcel
from fedtui.simulation.world import World
from fedtui.wire.messages import Accepting, UpdateHeader


def run(rounds: int = 3) -> World:
    world = World(seed=3, num_nodes=4)
    world.run(rounds=rounds)
    world.invariants.remembered()
    return world


def test_nothing_is_caught_in_machines_as_they_are() -> None:
    assert run().rounds_done == 3


def changing(monkeypatch, method: str, change, owner: type = RoundCoordinator) -> None:
    """Let `change(effects, self)` tamper with what a method returns."""
    original = getattr(owner, method)

    def tampered(self, *args):
        return change(original(self, *args), self)

    monkeypatch.setattr(owner, method, tampered)


def test_I2_aggregating_without_the_last_survivor(monkeypatch) -> None:
    def drop(effect: Aggregate, _machine) -> Aggregate:
        return replace(effect, contributions=effect.contributions[:-1])

    changing(monkeypatch, "_aggregate", drop)
    with pytest.raises(InvariantError, match="I2"):
        run()


def test_I2_another_weight_than_the_recorded_one(monkeypatch) -> None:
    def double(effect: Aggregate, _machine) -> Aggregate:
        first = replace(effect.contributions[0], weight=2 * effect.contributions[0].weight)
        return replace(effect, contributions=(first, *effect.contributions[1:]))

    changing(monkeypatch, "_aggregate", double)
    with pytest.raises(InvariantError, match="I2"):
        run()


def test_I2_survivors_chosen_again_after_a_restart(monkeypatch) -> None:
    def choose(effects, machine):
        return [Persist(SurvivorsChosen(1, 1, nodes=machine.survivors)), *effects]

    changing(monkeypatch, "resume", choose)
    world = World(seed=3, num_nodes=4)
    world.coordinator.crash_plan = lambda when, record: (
        when == "after" and isinstance(record, SurvivorsChosen)
    )
    world.run(rounds=1, seconds=30)
    with pytest.raises(InvariantError, match="I2"):
        world.coordinator.restart()


def test_I3_counting_a_double_update_twice(monkeypatch) -> None:
    def twice(effects, _machine):
        return [e for e in effects if isinstance(e, Persist)] * 2 + effects

    changing(monkeypatch, "_on_arrived", twice)
    with pytest.raises(InvariantError, match="I3"):
        run()


def test_I6_acknowledging_before_persisting(monkeypatch) -> None:
    def forget(effects, _machine):
        return [e for e in effects if not isinstance(e, Persist)]

    changing(monkeypatch, "_on_arrived", forget)
    with pytest.raises(InvariantError, match="I6"):
        run()


def test_I6_remembering_otherwise_than_the_store(monkeypatch) -> None:
    def misremember(effects, federation: Federation):
        last = federation.rounds[-1]
        if last.score is not None:
            federation.rounds[-1] = replace(last, score=last.score + 1)
        return effects

    changing(monkeypatch, "_after_evaluation", misremember, Federation)
    with pytest.raises(InvariantError, match="I6"):
        run()


def test_I7_going_back_a_phase(monkeypatch) -> None:
    def again(effects, machine):
        return [Persist(machine._phase_record()), *effects]

    changing(monkeypatch, "_close", again)
    with pytest.raises(InvariantError, match="I7"):
        run()


def test_I7_finishing_another_attempt(monkeypatch) -> None:
    def other(effects, _machine):
        return [
            Persist(msgspec.structs.replace(e.record, attempt=9))
            if isinstance(e, Persist) and isinstance(e.record, RoundFinished)
            else e
            for e in effects
        ]

    changing(monkeypatch, "_on_aggregation", other)
    with pytest.raises(InvariantError, match="I7"):
        run()


def smuggle(world: World, name: bytes, *, accepts: bool) -> None:
    """A complete upload in the name of a node, out of turn."""
    machine = world.coordinator.machine.attempt
    assert machine is not None
    update_D = world.coordinator.models[machine.base.digest]
    digest = vector_digest(update_D)
    which = {"incarnation": 1, "round": machine.round, "attempt": machine.attempt}
    if accepts:
        world.lie(Said(name, Accepting(**which)))
    opened = UpdateOpened(
        name,
        999,
        **which,
        num_bytes=update_D.nbytes,
        digest=digest,
        manifest_digest=world.manifest.digest(),
        header=UpdateHeader(num_examples=5, sums={}),
    )
    world.lie(opened)
    parcel = Parcel(update_D, digest, update_D.nbytes)
    world.coordinator.spool[(machine.round, machine.attempt, name, digest)] = parcel
    world.lie(UpdateArrived(name, 999, machine.round, machine.attempt, digest))


def in_a_round() -> World:
    """Offers are out, nobody has answered."""
    world = World(seed=3, num_nodes=4)
    while world.coordinator.machine.attempt is None:
        world.clock.step()
    return world


@pytest.mark.parametrize("accepts", [False, True])
def test_I10_an_update_from_a_stranger(monkeypatch, accepts: bool) -> None:
    stranger = World.name("stranger")
    world = in_a_round()
    smuggle(world, stranger, accepts=accepts)  # refused by the machine as it is

    monkeypatch.setattr(RoundCoordinator, "_why_not", lambda *_: ())
    world = in_a_round()
    machine = world.coordinator.machine.attempt
    assert machine is not None
    machine._cohort.members[stranger] = type(next(iter(machine.members.values())))()
    with pytest.raises(InvariantError, match="I10"):
        smuggle(world, stranger, accepts=accepts)


def test_I10_an_update_of_who_did_not_accept(monkeypatch) -> None:
    smuggle(in_a_round(), World.name("n1"), accepts=False)
    smuggle(in_a_round(), World.name("n1"), accepts=True)  # that is how it is done

    monkeypatch.setattr(RoundCoordinator, "_why_not", lambda *_: ())
    world = in_a_round()
    assert world.coordinator.machine.attempt is not None
    name = next(iter(world.coordinator.machine.attempt.members))
    with pytest.raises(InvariantError, match="I10"):
        smuggle(world, name, accepts=False)


def test_I11_going_on_with_too_few(monkeypatch) -> None:
    def settle(self: RoundCoordinator, now: float):
        if self.phase not in {Phase.INVITING, Phase.COLLECTING}:
            return []
        self.phase = Phase.COLLECTING
        return self._close() if self.contributions else []

    monkeypatch.setattr(RoundCoordinator, "_settle", settle)
    with pytest.raises(InvariantError, match=r"I1[01]"):
        run()


def test_I12_speaking_before_writing_down(monkeypatch) -> None:
    def unnoted(effects, _machine):
        return [e for e in effects if not isinstance(e, Note)]

    changing(monkeypatch, "_upload", unnoted, RoundParticipant)
    with pytest.raises(InvariantError, match="I12"):
        run()
