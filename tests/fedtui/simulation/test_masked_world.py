"""Whole federations under masks, and every fault of the catalogue that applies, by ID."""

import pytest
from masked_worlds import (
    at,
    attempts,
    dies_at,
    fails_while,
    failures,
    finish,
    masked_plan,
    model,
    resume_all,
    survivors,
    until_dead,
)

from fedtui.rounds.history import replay
from fedtui.rounds.records import (
    Evaluated,
    FederationEnded,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.simulation.world import World
from fedtui.wire.messages import Offer

BEFORE = ["INVITING", "COLLECTING", "SHARING", "MASKING"]
AFTER = ["VOTING", "REVEALING", "AGGREGATING"]


# ---- R1: the coordinator dies at every point

POINTS = [
    (when, kind)
    for kind in (
        RoundStarted,
        *BEFORE[1:],
        UpdateReceived,
        SurvivorsChosen,
        *AFTER[1:],
        RoundFinished,
        Evaluated,
        FederationEnded,
    )
    for when in ("before", "after")
]


def crash_run(seed: int) -> None:
    when, kind = POINTS[seed % len(POINTS)]
    world = World(seed=seed, num_nodes=4, plan=masked_plan())
    skip = 0 if kind is FederationEnded else seed // len(POINTS) % 3
    world.coordinator.crash_plan = dies_at(when, kind, skip)
    until_dead(world)
    world.clock.after(0.5 + seed % 3, world.coordinator.restart)
    world.run(seconds=20)
    finish(world)
    assert world.rounds_done == 3
    assert world.coordinator.incarnation == 2
    assert len(attempts(world)) <= 4, "more than one attempt lost"
    assert world.coordinator.machine.failures == []
    assert replay(world.coordinator.records).burnt == 0


@pytest.mark.parametrize("point", range(len(POINTS)))
def test_R1_coordinator_dies_at_every_phase_point(point: int) -> None:
    crash_run(point)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_R1_two_hundred_seeds() -> None:
    for seed in range(200):
        crash_run(seed)


def mask_keys(world: World) -> set[bytes]:
    return set(world.invariants._mask_keys)


@pytest.mark.parametrize("phase", BEFORE[1:])
def test_R1_before_the_survivors_there_is_another_attempt_with_fresh_keys(phase: str) -> None:
    world = World(seed=5, num_nodes=4, plan=masked_plan(maximum=1, start_with=4))
    world.coordinator.crash_plan = dies_at("after", phase)
    until_dead(world)
    known = mask_keys(world)
    world.coordinator.restart()
    world.run(rounds=1)
    assert attempts(world) == [(1, 1), (1, 2)]
    fresh = {key for key, which in world.invariants._mask_keys.items() if which == (2, 1, 2)}
    assert len(fresh) == 4
    assert not fresh & known


@pytest.mark.parametrize("phase", AFTER)
@pytest.mark.parametrize("down_s", [0.2, 3.0])
def test_R1_after_the_survivors_it_is_the_same_attempt_and_the_same_set(phase, down_s) -> None:
    world = World(seed=5, num_nodes=4, plan=masked_plan(maximum=1))
    world.coordinator.crash_plan = dies_at("after", phase)
    until_dead(world)
    (chosen,) = survivors(world)
    known = mask_keys(world)
    world.clock.after(down_s, world.coordinator.restart)
    world.run(rounds=1, seconds=60)
    assert attempts(world) == [(1, 1)]
    assert survivors(world) == [chosen]
    assert world.coordinator.machine.rounds[1].survivors == chosen.nodes
    assert mask_keys(world) == known


def test_R1_the_coordinator_dies_again_while_it_finishes_the_attempt() -> None:
    world = World(seed=5, num_nodes=4, plan=masked_plan(maximum=1))
    for kind in (SurvivorsChosen, "REVEALING", "AGGREGATING", RoundFinished):
        when = "before" if kind is RoundFinished else "after"
        world.coordinator.crash_plan = dies_at(when, kind)
        until_dead(world)
        world.coordinator.restart()
    world.run(rounds=1, seconds=60)
    assert attempts(world) == [(1, 1)]
    assert world.rounds_done == 1


# ---- burnt rounds


@pytest.mark.parametrize("phase", ["SHARING", "MASKING", "VOTING", "REVEALING"])
@pytest.mark.parametrize("restart", [False, True])
def test_R3_P3_only_a_failure_behind_the_survivors_burns_the_round(phase, restart) -> None:
    world = World(seed=3, num_nodes=4, plan=masked_plan(maximum=4, start_with=4))
    before = model(fails_while(world, phase))
    (failed,) = failures(world)
    assert "2 of 4 nodes" in failed.cause
    assert "3 are needed" in failed.cause
    if restart:
        world.coordinator.crash()
        world.coordinator.restart()
    burnt = phase in {"VOTING", "REVEALING"}
    assert world.coordinator.machine._burnt == (1 if burnt else 0)
    assert model(world) == before
    world.run(rounds=1, seconds=60)
    assert attempts(world)[:2] == [(1, 1), (2, 1) if burnt else (1, 2)]
    assert [r.round for r in world.coordinator.machine.rounds][:2] == [0, 2 if burnt else 1]
    finish(world)


def test_R2_a_node_that_voted_joins_no_later_attempt_of_that_round_even_restarted() -> None:
    world = at(World(seed=3, num_nodes=4, plan=masked_plan()), "REVEALING")
    world.crash_node("n1", back_after_s=0.1)
    world.run(seconds=0.2)
    node = world.nodes[World.name("n1")]
    assert [(j.attempt.purpose, j.attempt.round) for j in node.journal] == [("update", 1)]
    heard: list[str] = []
    world._watchers.append(lambda name, m: heard.append(getattr(m, "reason", "")))
    offer = Offer(
        incarnation=1,
        round=1,
        attempt=2,
        plan_hash=world.plan_hash,
        manifest_digest=world.manifest.digest(),
        model=world.coordinator.machine.attempt.base,
        cohort_size=4,
        accept_s=5.0,
        deadline_s=20.0,
    )
    node.hear(offer)
    assert heard == ["it voted for a sum of round 1 already, and joins no other one"]


def test_sums_on_one_model_without_a_result_stop_until_the_operators_resume() -> None:
    world = World(seed=3, num_nodes=4, plan=masked_plan(start_with=4))
    for _ in range(2):
        fails_while(world, "REVEALING")
    world.run(seconds=60)
    assert world.rounds_done == 0
    told = [tell.text for node in world.nodes.values() for tell in node.told]
    assert any("'fedtui resume' allows more" in text for text in told)
    resume_all(world)
    world.run(rounds=1, seconds=120)
    assert world.rounds_done == 3, "rounds 1 and 2 are burnt"
