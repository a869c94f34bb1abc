"""Worlds of visible updates, run to their end; for the tests of this folder."""

from collections.abc import Callable

import msgspec

from fedtui.rounds.plan import (
    DeadlinesSection,
    Plan,
    RoundsSection,
    SelectionSection,
)
from fedtui.rounds.records import PhaseEntered, Record, RoundStarted
from fedtui.simulation.world import World, small_plan


def plan(
    maximum: int = 3, minimum: int = 2, start_with: int | None = None, **sections: object
) -> Plan:
    changes = {
        "rounds": RoundsSection(maximum=maximum, start_with=start_with),
        "selection": SelectionSection(minimum=minimum),
        "deadlines": DeadlinesSection(accept_s=5, update_s=20, rejoin_s=3, evaluate_s=10),
    } | sections
    return msgspec.structs.replace(small_plan(), **changes)


def finish(world: World, seconds: float = 3600.0) -> World:
    """Run to the end, which must come, and must be remembered."""
    world.run(seconds=seconds)
    assert world.coordinator.ended is not None, "the federation did not end"
    world.invariants.remembered()
    return world


def attempts(world: World) -> list[tuple[int, int]]:
    return [(r.round, r.attempt) for r in world.coordinator.records if isinstance(r, RoundStarted)]


def model(world: World) -> bytes:
    machine = world.coordinator.machine
    return world.coordinator.models[machine.model.digest].tobytes()


def dies_at(when: str, kind: type[Record] | str, skip: int) -> Callable[[str, Record], bool]:
    """A plan that cuts the power at the `skip`-th such record after round 0."""
    left = [skip]

    def plan_(at: str, record: Record) -> bool:
        is_kind = (
            isinstance(record, PhaseEntered) and record.phase == kind
            if isinstance(kind, str)
            else isinstance(record, kind)
        )
        if at != when or not is_kind:
            return False
        left[0] -= 1
        return left[0] < 0

    return plan_
