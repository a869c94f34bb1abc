"""What an onlooker tells of a node is what its machine did, on the virtual clock, and no more."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masked_worlds import finish, masked_plan

from fedtui.rounds.plan import EvaluationSection, RoundsSection
from fedtui.simulation.onlooker import BEGINNING_S, PROFILE, Onlooker
from fedtui.simulation.world import World, small_plan
from fedtui.status import NodeStatus


def onlooked(world: World, text: str = "n1") -> tuple[Onlooker, list[tuple[float, NodeStatus]]]:
    told: list[tuple[float, NodeStatus]] = []
    node = world.nodes[World.name(text)]
    return Onlooker(world, node, lambda status, at: told.append((at, status))), told


def visible_plan(maximum: int = 3):
    rounds = RoundsSection(maximum=maximum, start_with=5)
    return msgspec.structs.replace(small_plan(), rounds=rounds)


def test_it_tells_rounds_scores_and_what_leaves() -> None:
    world = World(seed=1, num_nodes=5, plan=visible_plan())
    onlooker, told = onlooked(world)
    finish(world)
    onlooker.close()
    end = told[-1][1]
    assert end == onlooker.status
    assert (end.profile, end.state, end.final) == (PROFILE, "stopped", True)
    assert [one.round for one in end.scores] == [1, 2, 3]
    assert [(one.number, one.outcome) for one in end.rounds] == [
        (1, "counted"),
        (2, "counted"),
        (3, "counted"),
    ]
    node = world.nodes[World.name("n1")]
    noted = [(note.round, note.digest.hex(), note.num_bytes) for note in node.notes]
    assert [(line.round, line.digest, line.num_bytes) for line in end.ledger] == noted
    assert end.rounds_counted == 3
    states = {status.state for _, status in told}
    assert {"connecting", "waiting", "training", "uploading", "evaluating"} <= states


def test_a_masked_round_shows_its_cohort_and_its_sum() -> None:
    world = World(seed=2, num_nodes=5, plan=masked_plan(start_with=5))
    _, told = onlooked(world)
    finish(world)
    end = told[-1][1]
    assert end.privacy.masked
    assert sorted(peer.fingerprint for peer in end.roster if peer.is_me) == [end.fingerprint]
    assert len(end.roster) == 5
    assert any("your update is in a sum of 5 nodes" in line.text for line in end.log)
    assert all(line.form.startswith("masked") for line in end.ledger)
    assert "cohort of 5" in end.ledger[-1].what


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), masked=st.booleans(), crash_at=st.floats(0.5, 12.0))
def test_whatever_happens_time_goes_on_and_every_change_is_told_once(
    seed: int, masked: bool, crash_at: float
) -> None:
    plan = masked_plan(start_with=4) if masked else visible_plan()
    world = World(seed=seed, num_nodes=5, plan=plan)
    _, told = onlooked(world, "n2")
    world.clock.at(crash_at, lambda: world.crash_node("n2", back_after_s=3.0))
    world.run(seconds=300)
    times = [at for at, _ in told]
    assert times == sorted(times)
    assert times[0] == BEGINNING_S
    numbers = [status.seq for _, status in told]
    assert numbers == sorted(set(numbers))


def test_a_killed_node_is_shown_as_gone_and_its_round_as_failed() -> None:
    world = World(seed=3, num_nodes=5, plan=visible_plan())
    _, told = onlooked(world)
    while told[-1][1].state != "training":
        world.clock.step()
    world.crash_node("n1")
    gone = told[-1][1]
    assert gone.state == "connecting"
    assert gone.round.phase == ""
    assert gone.rounds[-1].outcome == "failed"
    assert gone.training.fraction == 0.0
    world.run(seconds=60)
    assert told[-1][1] == gone


def test_looking_on_changes_nothing() -> None:
    traces = []
    for watched in (False, True):
        world = World(seed=4, num_nodes=5, plan=masked_plan(start_with=5))
        world.traced = True
        if watched:
            onlooked(world)
        finish(world)
        traces.append((world.trace.digest(), world.clock.num_run))
    assert traces[0] == traces[1]


def test_training_goes_on_between_two_events() -> None:
    world = World(seed=5, num_nodes=5, plan=visible_plan(maximum=1))
    _, told = onlooked(world)
    finish(world)
    at_work = [(at, s.training) for at, s in told if 0 < s.training.fraction < 1]
    assert [t.fraction for _, t in at_work] == sorted({t.fraction for _, t in at_work})
    assert len(at_work) == 7
    assert all(t.reported_at == pytest.approx(at) for at, t in at_work)
    done = next(s.training for _, s in told if s.training.fraction == 1.0)
    assert done.loss == pytest.approx(1.0)


def test_traffic_is_what_the_post_carried() -> None:
    world = World(seed=6, num_nodes=5, plan=visible_plan())
    _, told = onlooked(world)
    finish(world)
    up, down = world.post.carried[World.name("n1")]
    assert world.post.watched[World.name("n1")] == [up, down]
    assert 0 < told[-1][1].traffic.up <= up
    assert 0 < told[-1][1].traffic.down <= down


def test_an_evaluator_only_measures() -> None:
    plan = msgspec.structs.replace(
        visible_plan(), evaluation=EvaluationSection(with_evaluator=True)
    )
    world = World(seed=7, num_nodes=5, plan=plan)
    world.join(1, role="evaluator")
    _, told = onlooked(world, "n6")
    finish(world)
    end = told[-1][1]
    assert end.role == "evaluator"
    assert end.scores
    assert {line.what.split()[0] for line in end.ledger} == {"sums"}
