"""R1: the coordinator dies at every point of a round, and comes back."""

import pytest
from visible_worlds import attempts, dies_at, finish, model, plan

from fedtui.rounds.federation import Phase
from fedtui.rounds.machine import Operator, Train
from fedtui.rounds.plan import Named, SelectionSection
from fedtui.rounds.records import (
    Evaluated,
    FederationEnded,
    Record,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.simulation.world import World

POINTS: list[tuple[str, type[Record] | str]] = [
    (when, kind)
    for kind in (
        RoundStarted,
        "COLLECTING",
        UpdateReceived,
        SurvivorsChosen,
        RoundFinished,
        Evaluated,
        FederationEnded,
    )
    for when in ("before", "after")
]


def crash_run(seed: int) -> None:
    when, kind = POINTS[seed % len(POINTS)]
    world = World(seed=seed, num_nodes=4, plan=plan())
    skip = 0 if kind is FederationEnded else seed // len(POINTS) % 3
    world.coordinator.crash_plan = dies_at(when, kind, skip)
    while world.coordinator.up and world.clock.now < 600:
        world.clock.step()
    assert not world.coordinator.up, "the planned crash did not come"
    num_started = len(attempts(world))
    world.clock.after(1.0 + seed % 7, world.coordinator.restart)
    world.run(seconds=20)
    finish(world)
    assert world.rounds_done == 3
    assert world.coordinator.incarnation == 2
    lost = [a for a in attempts(world)[: num_started + 1] if a[1] > 1]
    assert len(lost) <= 1, "more than one attempt lost"
    assert len(attempts(world)) <= 4
    assert max(a for _, a in attempts(world)) <= 2


@pytest.mark.parametrize("point", range(len(POINTS)))
def test_R1_coordinator_dies_at_every_phase_point(point: int) -> None:
    crash_run(point)


@pytest.mark.slow
def test_R1_two_hundred_seeds() -> None:
    for seed in range(200):
        crash_run(seed)


def test_R1_survivors_chosen_before_the_crash_are_the_survivors_after_it() -> None:
    world = World(seed=5, num_nodes=4, plan=plan(maximum=1))
    world.coordinator.crash_plan = dies_at("after", SurvivorsChosen, 0)
    while world.coordinator.up:
        world.clock.step()
    world.coordinator.restart()
    finish(world)
    assert attempts(world) == [(1, 1)], "the attempt was not resumed"


def test_R1_training_outlives_the_coordinator_and_is_not_begun_anew() -> None:
    everybody = SelectionSection(fraction=1.0, minimum=2)
    world = World(seed=5, num_nodes=4, plan=plan(1, start_with=4, selection=everybody))
    begun: list[int] = []
    begin = world.work.begin

    def counting(node, effect):
        if isinstance(effect, Train):
            begun.append(effect.attempt)
        return begin(node, effect)

    world.work.begin = counting
    for seconds, node in zip((2.0, 8.0, 8.0, 8.0), world.nodes.values(), strict=True):
        node.train_s = seconds
    world.coordinator.crash_plan = dies_at("after", UpdateReceived, 0)
    while world.coordinator.up:
        world.clock.step()
    world.clock.after(2.0, world.coordinator.restart)
    finish(world)
    assert attempts(world) == [(1, 1), (1, 2)]
    finished = [r for r in world.coordinator.records if isinstance(r, RoundFinished) and r.round]
    assert [(r.round, r.attempt) for r in finished] == [(1, 2)]
    assert begun == [1] * 4, "trained anew"


def test_R1_crash_after_the_last_round_starts_no_other_round() -> None:
    world = World(seed=5, num_nodes=3, plan=plan(maximum=2))
    world.coordinator.crash_plan = dies_at("after", RoundFinished, 1)
    while world.coordinator.up:
        world.clock.step()
    world.coordinator.restart()
    finish(world)
    assert world.rounds_done == 2
    assert world.coordinator.machine.rounds[2].score is not None, "it is measured after all"


def test_R1_a_restart_after_the_last_round_ends_even_if_nobody_comes_back() -> None:
    world = World(seed=5, num_nodes=3, plan=plan(maximum=2))
    world.coordinator.crash_plan = dies_at("after", RoundFinished, 1)
    while world.coordinator.up:
        world.clock.step()
    for name in ("n1", "n2", "n3"):
        world.crash_node(name)
    world.coordinator.restart()
    finish(world, seconds=60)


def test_R1_paused_stays_paused_and_resumes_after_a_restart() -> None:
    world = World(seed=5, num_nodes=3, plan=plan(maximum=3))
    world.run(rounds=1)
    world.lie(Operator("pause"))
    world.run(seconds=60)
    assert world.coordinator.machine.phase is Phase.PAUSED
    world.crash_coordinator(back_after_s=1.0)
    world.run(seconds=60)
    assert world.coordinator.machine.phase is Phase.PAUSED
    world.lie(Operator("resume"))
    finish(world)


@pytest.mark.parametrize("strategy", ["fedavgm", "fedopt"])
@pytest.mark.parametrize("point", range(len(POINTS)))
def test_R1_what_the_strategy_keeps_is_neither_lost_nor_counted_twice(
    point: int, strategy: str
) -> None:
    """Rounds are undone and done again, and the models are what the committed updates make."""
    when, kind = POINTS[point]
    if kind is FederationEnded:
        return
    text = plan(minimum=4, strategy=Named(name=strategy))
    world = World(seed=point, num_nodes=4, plan=text)
    world.coordinator.crash_plan = dies_at(when, kind, 1)
    while world.coordinator.up and world.clock.now < 600:
        world.clock.step()
    assert not world.coordinator.up, "the planned crash did not come"
    world.clock.after(2.0, world.coordinator.restart)
    finish(world)
    calm = finish(World(seed=point, num_nodes=4, plan=text))
    assert model(world) == model(calm)
