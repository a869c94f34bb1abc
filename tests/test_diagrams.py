"""The diagrams are those of the tables, and the tables are those of the machines."""

import importlib.util
from pathlib import Path

import msgspec
import pytest

from fedtui.rounds import coordinator, federation, masked, participant
from fedtui.rounds.machine import LocalOperator, Operator
from fedtui.rounds.plan import Plan, PrivacySection
from fedtui.simulation.network import Weather
from fedtui.simulation.world import World, small_plan

SCRIPT = Path(__file__).parents[1] / "docs" / "make_diagrams.py"
MACHINES = [
    (federation.Federation, federation),
    (coordinator.RoundCoordinator, coordinator),
    (masked.MaskedAttempt, masked),
    (participant.RoundParticipant, participant),
]


def test_the_page_is_what_the_script_draws() -> None:
    spec = importlib.util.spec_from_file_location("make_diagrams", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.TARGET.read_text(encoding="utf-8") == script.document(), (
        "docs/state-diagrams.md is out of date: python docs/make_diagrams.py"
    )
    page = script.MASKED.read_text(encoding="utf-8")
    assert page.count(script.BEGIN) == page.count(script.END) == 1
    assert page == script.with_diagram(page), "out of date: python docs/make_diagrams.py"


@pytest.fixture
def made(monkeypatch):
    """(machine, from, to) of every change of phase, whoever makes it and however."""
    seen: set[tuple[str, str, str]] = set()

    def watch(kind: type) -> None:
        def setattr_(self, name: str, value: object) -> None:
            before = getattr(self, "phase", None) if name == "phase" else None
            if before is not None and before is not value:
                seen.add((kind.__name__, before.name, value.name))
            object.__setattr__(self, name, value)

        monkeypatch.setattr(kind, "__setattr__", setattr_, raising=False)

    for kind, _ in MACHINES:
        watch(kind)
    return seen


def masked_plan() -> Plan:
    return msgspec.structs.replace(small_plan(), privacy=PrivacySection(updates="masked"))


def busy_world(seed: int, plan: Plan) -> None:
    weather = Weather(duplicates=0.2, disorder_s=0.2)
    world = World(seed=seed, num_nodes=4, weather=weather, plan=plan)
    world.join(1, role="evaluator")
    rng = world.rng
    for step in range(60):
        world.run(seconds=float(rng.uniform(0.1, 4.0)))
        name = f"n{rng.integers(1, 6)}"
        match step % 6:
            case 0:
                world.disconnect(World.name(name))
            case 1:
                world.crash_node(name, back_after_s=1.0)
            case 2 if world.coordinator.up:
                world.crash_coordinator(back_after_s=1.0)
            case 3:
                world.operator(name, "pause")
                world.clock.after(1.0, lambda name=name: world.operator(name, "resume"))
            case 4:
                world.lie(Operator("pause"))
            case 5:
                world.lie(Operator("resume"))
    world.lie(Operator("stop"))
    world.operator("n1", "leave")


def busy_worlds() -> None:
    """Visible and masked rounds; masked ones whose updates are measured by those who sent them."""
    for seed in range(4):
        busy_world(seed, small_plan())
        busy_world(seed, masked_plan())
    calm = World(seed=1, num_nodes=4, plan=masked_plan())
    calm.run(rounds=3)
    for phase in list(masked.Phase)[:7]:
        stopped_in(phase)


def stopped_in(phase: masked.Phase) -> None:
    """The federation is ended while an attempt is in this phase."""
    world = World(seed=1, num_nodes=4, plan=masked_plan())
    machine = world.coordinator.machine
    while machine.attempt is None or machine.attempt.phase is not phase:
        world.clock.step()
    world.lie(Operator("stop"))
    for node in world.nodes.values():
        node.feed(LocalOperator("leave"))


def test_machines_make_no_transition_that_their_table_lacks(made) -> None:
    busy_worlds()
    allowed = {
        (kind.__name__, start.name, end.name)
        for kind, module in MACHINES
        for (start, _), end in module.TRANSITIONS.items()
    }
    # A restart sets a fresh machine to the phase that the store remembers; that is no transition.
    remembered = {
        ("Federation", "GATHERING", "ENDED"),
        ("Federation", "GATHERING", "PAUSED"),
        ("MaskedAttempt", "INVITING", "VOTING"),
    }
    assert made <= allowed | remembered
    assert len(made) >= 20, "too little happened to mean anything"
    unseen = {change for change in allowed - made if change[0] == "MaskedAttempt"}
    assert unseen == set(), "every transition of a masked attempt happens"


@pytest.mark.parametrize(("kind", "module"), MACHINES)
def test_every_phase_can_be_reached_and_left_or_ends(kind: type, module) -> None:
    phases, table = list(module.Phase), module.TRANSITIONS
    assert set(table.values()) | {phases[0]} == set(phases)
