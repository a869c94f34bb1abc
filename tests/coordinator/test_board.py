"""The board of a coordinator that really runs, with scripted nodes on its socket."""

from pathlib import Path

import msgspec
from a_coordinator import ThinNode, invite, make, serving, thin_nodes, until
from a_masked_node import MaskedNode, make_masked

from coordinator.asks import AskEvict, AskRevoke
from coordinator.commands import Commands
from coordinator.service import CoordinatorService
from fedtui.crypto.keys import fingerprint
from fedtui.status.coordinator import Board, NodeRow
from fedtui.wire.messages import Ended


def row(service: CoordinatorService, node: ThinNode) -> NodeRow:
    name = fingerprint(node.identity.id)
    rows = {found.fingerprint: found for found in service.board().nodes}
    return rows.get(name, NodeRow(fingerprint=name, label="", role="", state="", phase="away"))


async def test_a_node_that_trains_is_shown_with_what_it_moved(tmp_path: Path) -> None:
    nodes = [ThinNode(1, trains_s=3600), ThinNode(2)]
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, *nodes):
        await until(lambda: row(service, nodes[1]).phase == "delivered")
        board = service.board()
        slow, quick = row(service, nodes[0]), row(service, nodes[1])
        assert (slow.phase, slow.label, slow.state, slow.weight) == (
            "train",
            "n1",
            "enrolled",
            None,
        )
        assert quick.weight == 20, "under a visible plan the coordinator knows"
        assert quick.bytes_up > len(nodes[1].update)
        assert quick.bytes_up > slow.bytes_up > 0
        assert service.gatekeeper.traffic().up >= slow.bytes_up + quick.bytes_up
        assert board.at - 60 < slow.since <= board.at
        health = board.health
        assert (health.awaited, health.num_awaited) == (("n1",), 1)
        assert (health.phase, health.answered, health.cohort) == ("collecting", 1, 2)
        assert health.masks is None
        assert health.deadline_at is not None
        assert board.at < health.deadline_at <= board.at + 20.0
        encoded = msgspec.json.encode(board)
        assert msgspec.json.decode(encoded, type=Board) == board
        assert nodes[0].identity.id.hex().encode() not in encoded


async def test_what_counted_is_the_federations_and_what_was_moved_this_lifes(
    tmp_path: Path,
) -> None:
    layout = make(tmp_path / "f")
    nodes = [ThinNode(1), ThinNode(2)]
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: any(isinstance(m, Ended) for m in nodes[0].heard))
        seen = row(service, nodes[0])
        assert (seen.chosen, seen.counted, seen.late, seen.rejected) == (2, 2, 0, 0)
    async with serving(layout) as service:
        seen = row(service, nodes[0])
        assert (seen.chosen, seen.counted) == (2, 2)
        assert (seen.phase, seen.connected, seen.bytes_up) == ("away", False, 0)
        board = service.board()
        assert [line.round for line in board.rounds] == [1, 2]
        assert board.ended is not None


async def test_under_masks_no_weight_is_known_and_the_keys_are_counted(tmp_path: Path) -> None:
    layout = make_masked(tmp_path / "f", start_with=4)
    nodes = [MaskedNode(n) for n in (1, 2, 3)]
    silent = MaskedNode(4, masks=False)
    async with serving(layout) as service, thin_nodes(service, *nodes, silent):
        await until(lambda: row(service, nodes[0]).phase == "delivered")
        await until(lambda: service.board().health.num_awaited == 1)
        board = service.board()
        assert {r.weight for r in board.nodes} == {None}
        assert row(service, silent).phase == "mask"
        assert board.health.awaited == ("n4",)
        assert board.health.masks is not None
        masks = board.health.masks
        assert (masks.keys, masks.colluders, masks.needed) == (4, 1, 3)


async def test_whoever_sends_what_does_not_fit_is_counted_and_rings(tmp_path: Path) -> None:
    nodes = [ThinNode(1), ThinNode(2, update=b"1234")]
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, *nodes):
        await until(lambda: row(service, nodes[1]).rejected > 0)
        await until(lambda: bool(service.board().alarms))
        board = service.board()
        assert board.health.unfit == row(service, nodes[1]).rejected
        texts = [alarm.text for alarm in board.alarms]
        assert any(text.startswith("n2: update refused: an update has") for text in texts), texts
        await until(lambda: "n2 dropped out of round 1" in str(service.board().alarms))


async def test_a_node_that_asks_is_shown_with_its_words(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service:

        async def made(node_id: bytes) -> tuple[str, ...]:
            return "six", "words", "of", node_id.hex()[:4]

        service.words._make = made
        await node.start(service, await invite(service, auto=False))
        await until(lambda: service.board().pending == 1)
        await until(lambda: row(service, node).words != ())
        seen = row(service, node)
        assert seen.words[-1] == node.identity.id.hex()[:4]
        assert (seen.state, seen.phase) == ("pending", "asks")
        await node.stop()


async def test_evicted_nodes_come_back_and_revoked_ones_do_not(tmp_path: Path) -> None:
    nodes = [ThinNode(1, trains_s=3600), ThinNode(2, trains_s=3600)]
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, *nodes):
        await until(lambda: service.board().health.phase == "collecting")
        commands = Commands(service)
        await commands.answer(AskEvict(fingerprint=fingerprint(nodes[0].identity.id)))
        await until(lambda: bool(nodes[0].drops))
        assert "put this node out of the round" in nodes[0].drops[0].text
        await until(lambda: "put out of the round by" in str(service.board().alarms))
        assert row(service, nodes[0]).state == "enrolled"
        await commands.answer(AskRevoke(fingerprint=fingerprint(nodes[1].identity.id)))
        assert (row(service, nodes[1]).state, row(service, nodes[1]).phase) == ("expelled", "out")
