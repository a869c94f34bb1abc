"""Worlds under masks, run up to a phase; for the tests of this folder."""

import msgspec

from fedtui.rounds.machine import LocalOperator
from fedtui.rounds.plan import (
    DeadlinesSection,
    Plan,
    PrivacySection,
    RoundsSection,
    SelectionSection,
)
from fedtui.rounds.records import PhaseEntered, Record, RoundFailed, RoundStarted, SurvivorsChosen
from fedtui.simulation.world import World, small_plan

DEADLINES = DeadlinesSection(
    accept_s=5, update_s=20, rejoin_s=3, evaluate_s=10, share_s=5, mask_s=8, reveal_s=8
)


def masked_plan(maximum: int = 3, start_with: int | None = None, **sections: object) -> Plan:
    changes = {
        "rounds": RoundsSection(maximum=maximum, start_with=start_with),
        "selection": SelectionSection(minimum=2),
        "deadlines": DEADLINES,
        "privacy": PrivacySection(updates="masked"),
    } | sections
    return msgspec.structs.replace(small_plan(), **changes)


def finish(world: World, seconds: float = 3600.0) -> World:
    """Run to the end, which must come, and must be remembered."""
    world.run(seconds=seconds)
    failed = world.coordinator.machine.failures
    assert world.coordinator.ended is not None, f"the federation did not end: {failed}"
    world.invariants.remembered()
    return world


def at(world: World, phase: str, *, evaluating: bool = False) -> World:
    """Step until the attempt (or the evaluation) under way is in this phase."""
    latest = world.clock.now + 200
    while True:
        machine = world.coordinator.machine
        now = machine.evaluating if evaluating else machine.attempt
        if now is not None and now.phase.name == phase:
            return world
        assert world.clock.now < latest, f"it never came to this: {phase}"
        world.clock.step()


def fails_while(world: World, phase: str, *, lose: int = 2) -> World:
    """Too many nodes stand still from this phase on; then they are back."""
    at(world, phase)
    known = len(failures(world))
    for number in range(1, lose + 1):
        world.nodes[World.name(f"n{number}")].stall()
    while len(failures(world)) == known:
        assert world.clock.now < 1000
        world.clock.step()
    world.heal()
    return world


def attempts(world: World) -> list[tuple[int, int]]:
    return [(r.round, r.attempt) for r in world.coordinator.records if isinstance(r, RoundStarted)]


def failures(world: World) -> list[RoundFailed]:
    return [r for r in world.coordinator.records if isinstance(r, RoundFailed)]


def survivors(world: World) -> list[SurvivorsChosen]:
    return [r for r in world.coordinator.records if isinstance(r, SurvivorsChosen)]


def model(world: World) -> bytes:
    machine = world.coordinator.machine
    return world.coordinator.models[machine.model.digest].tobytes()


def resume_all(world: World) -> None:
    """Every node's operator allows more sums on the same model."""
    for node in world.nodes.values():
        node.feed(LocalOperator("resume"))


def dies_at(when: str, kind: type[Record] | str, skip: int = 0):
    """A plan that cuts the power at the `skip`-th such record."""
    left = [skip]

    def plan_(at_: str, record: Record) -> bool:
        is_kind = (
            isinstance(record, PhaseEntered) and record.phase == kind
            if isinstance(kind, str)
            else isinstance(record, kind)
        )
        if at_ != when or not is_kind:
            return False
        left[0] -= 1
        return left[0] < 0

    return plan_


def until_dead(world: World) -> World:
    while world.coordinator.up and world.clock.now < 600:
        world.clock.step()
    assert not world.coordinator.up, "the planned crash did not come"
    return world
