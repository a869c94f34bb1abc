"""Masked rounds through the whole coordinator, with real halves of nodes over the real channel."""

from pathlib import Path

import numpy as np
from a_coordinator import MANIFEST, D, serving, thin_nodes, until
from a_masked_node import MaskedNode, make_masked

from coordinator import keeping, reading
from coordinator.checkpoints import open_checkpoint
from coordinator.layout import Layout
from fedtui.wire.events import StreamRefused
from fedtui.wire.masked_messages import Survivors
from fedtui.wire.messages import Abort, Ended, Result, Scored


def model(layout: Layout, round_: int) -> np.ndarray:
    name = f"model-{round_:06d}.safetensors"
    with open_checkpoint(layout.checkpoints / name, MANIFEST) as found:
        return np.frombuffer(found.read(0, 4 * D), "<f4")


def mean(*numbers: int) -> float:
    """Of nodes whose update is number / 10 and whose weight is 10 * number."""
    return sum(n * n / 10 for n in numbers) / sum(numbers)


async def over(*nodes: MaskedNode) -> None:
    await until(lambda: all(n.heard and isinstance(n.heard[-1], Ended) for n in nodes))


async def test_I2_a_masked_federation_runs_to_its_end(tmp_path: Path) -> None:
    layout = make_masked(tmp_path / "f", start_with=4, rounds=2)
    nodes = [MaskedNode(n, correct=6.0 + n) for n in (1, 2, 3)] + [MaskedNode(4, correct=10.0)]
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await over(*nodes)
        status = service.status()
        told = [m for m in nodes[0].heard if isinstance(m, Result)]
    assert [(r.round, r.attempt, r.participants, r.dropped) for r in status.rounds] == [
        (1, 1, 4, 0),
        (2, 1, 4, 0),
    ]
    assert [r.score for r in status.rounds] == [0.85, 0.85]
    assert any(isinstance(m, Scored) for m in nodes[0].heard)
    assert [(r.counted, r.sums) for r in told] == [(True, {"loss_sum": 4, "examples": 40})] * 2
    np.testing.assert_allclose(model(layout, 2), 2 * mean(1, 2, 3, 4), atol=1e-3)
    assert status.masked
    assert [(r.cohort, r.ready, r.threshold) for r in status.rounds] == [(4, 4, 3)] * 2
    assert [(r.lost, r.colluders, r.num_honest) for r in status.rounds] == [((), 1, 2)] * 2
    assert status.privacy.startswith(
        "updates are masked: the coordinator and up to 1 node in league with it"
    )
    with reading.reading(layout) as database:
        found = database.snapshot()
    assert (found.open, found.burnt) == (None, 0)
    assert [r.num_ready for r in found.rounds] == [0, 4, 4]
    actions = [entry.action for entry in keeping.entries(layout, after=0)]
    assert actions.count("roster frozen") == 2
    assert "wrong shares" not in actions


async def test_a_node_lost_after_its_shares_is_not_in_the_sum(tmp_path: Path) -> None:
    layout = make_masked(tmp_path / "f", start_with=5, deadlines="mask_s = 1.0")
    nodes = [MaskedNode(n) for n in (1, 2, 3, 4)]
    silent = MaskedNode(5, masks=False)
    async with serving(layout) as service, thin_nodes(service, *nodes, silent):
        await over(*nodes)
        line = service.status().rounds[0]
    assert (line.attempt, line.participants, line.dropped) == (1, 4, 1)
    np.testing.assert_allclose(model(layout, 1), mean(1, 2, 3, 4), atol=1e-3)


async def test_I1_a_visible_update_is_not_let_in_under_masks(tmp_path: Path) -> None:
    layout = make_masked(tmp_path / "f", start_with=5)
    nodes = [MaskedNode(n) for n in (1, 2, 3, 4)]
    naked = MaskedNode(5, unmasked=True)
    async with serving(layout) as service, thin_nodes(service, *nodes, naked):
        await over(*nodes)
        line = service.status().rounds[0]
    assert (line.participants, line.dropped) == (4, 1)
    refused = next(m for m in naked.heard if isinstance(m, StreamRefused))
    assert "nothing of a single one may be said" in refused.text


async def test_a_spoilt_vector_fails_the_round_and_the_model_stays(tmp_path: Path) -> None:
    layout = make_masked(tmp_path / "f", start_with=4)
    nodes = [MaskedNode(n) for n in (1, 2, 3)] + [MaskedNode(4, spoils=True)]
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: any(isinstance(m, Abort) for m in nodes[0].heard))
        nodes[3].spoils = False
        assert "whole vectors" in service.federation.failures[0]
        await over(*nodes)
        rounds = [line.round for line in service.status().rounds]
    assert rounds == [2]  # the number of the round that failed with survivors is burnt
    np.testing.assert_allclose(model(layout, 2), mean(1, 2, 3, 4), atol=1e-3)


async def restarted_at_the_vote(layout: Layout, nodes: list[MaskedNode]) -> None:
    """Let a first life choose the survivors and end before anybody voted."""
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: all(any(isinstance(m, Survivors) for m in n.heard) for n in nodes))
        assert (service.status().state, service.status().round) == ("voting", 1)
        assert service.status().text == "round 1: 0 of 4 nodes voted for their sum"
    for node in nodes:
        node.votes = True


async def test_R3_a_coordinator_that_restarts_after_the_survivors_finishes_the_same_attempt(
    tmp_path: Path,
) -> None:
    layout = make_masked(tmp_path / "f", start_with=4)
    nodes = [MaskedNode(n, votes=False) for n in (1, 2, 3, 4)]
    await restarted_at_the_vote(layout, nodes)
    async with serving(layout) as service:
        try:
            for node in nodes:
                await node.start(service)
            await over(*nodes)
            lines = service.status().rounds
        finally:
            for node in nodes:
                await node.stop()
    assert [(r.round, r.attempt, r.participants) for r in lines] == [(1, 1, 4)]
    np.testing.assert_allclose(model(layout, 1), mean(1, 2, 3, 4), atol=1e-3)


async def test_a_round_whose_survivors_do_not_come_back_is_burnt(tmp_path: Path) -> None:
    layout = make_masked(tmp_path / "f", start_with=4, deadlines="reveal_s = 0.5")
    gone = [MaskedNode(n, votes=False) for n in (1, 2, 3, 4)]
    await restarted_at_the_vote(layout, gone)
    fresh = [MaskedNode(n) for n in (1, 2, 3, 4)]  # the same nodes, without their secrets
    async with serving(layout) as service:
        await until(lambda: bool(service.federation.failures))
        try:
            for node in fresh:
                await node.start(service)
            await until(lambda: len(service.federation.rounds) > 1)
            await over(*fresh)
        finally:
            for node in fresh:
                await node.stop()
        assert [line.round for line in service.status().rounds] == [2]
    with reading.reading(layout) as database:
        assert database.snapshot().burnt == 1
