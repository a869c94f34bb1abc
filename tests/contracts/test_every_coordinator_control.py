"""Whoever implements CoordinatorControls: a fake, or a real coordinator behind its socket."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
from a_coordinator import ThinNode, invite, make, serving, until
from fake_coordinator import FakeCoordinator

from coordinator.clock import wall_s
from coordinator.watching import Watching
from fedtui.crypto.keys import fingerprint
from fedtui.status import Refused
from fedtui.status.coordinator import (
    Board,
    BoardSeen,
    CoordinatorControls,
    InviteLine,
    InvitesSeen,
    InviteWish,
    NodeRow,
)


@dataclass
class Bench:
    """What is tested: one node asks to join, another takes part in a round."""

    controls: CoordinatorControls
    asks: str
    member: str


@pytest.fixture(params=["fake", "socket"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    if request.param == "fake":
        fake = FakeCoordinator()
        rows = {row.label: row.fingerprint for row in fake.board.nodes}
        yield Bench(fake, rows["birch"], rows["alder-ws"])
        return
    asks, members = ThinNode(1), [ThinNode(n, trains_s=3600) for n in (2, 3, 4)]
    layout = make(tmp_path / "f")
    text = layout.plan.read_text().replace("[rounds]", "[rounds]\nstart_with = 3")
    layout.plan.write_text(text)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(serving(layout))
        for node, auto in ((asks, False), *((member, True) for member in members)):
            stack.push_async_callback(node.stop)
            await node.start(service, await invite(service, auto=auto))
        await until(lambda: service.board().health.phase == "collecting")
        await until(lambda: service.board().pending == 1)
        names = [fingerprint(node.identity.id) for node in (asks, members[0])]
        yield Bench(Watching(layout, clock=wall_s), *names)


async def board(bench: Bench) -> Board:
    async with aclosing(bench.controls.watch()) as watching:  # type: ignore[type-var]
        async for seen in watching:
            if isinstance(seen, BoardSeen):
                return seen.board
    raise AssertionError("the watch ended")


async def row(bench: Bench, name: str) -> NodeRow:
    return next(row for row in (await board(bench)).nodes if row.fingerprint == name)


async def invites(bench: Bench) -> tuple[InviteLine, ...]:
    async with aclosing(bench.controls.watch()) as watching:  # type: ignore[type-var]
        async for seen in watching:
            if isinstance(seen, InvitesSeen):
                return seen.invites
    raise AssertionError("the watch ended")


async def test_the_watch_begins_with_the_board_and_the_invites(bench: Bench) -> None:
    seen = await board(bench)
    assert seen.pending == 1
    phases = {row.fingerprint: row.phase for row in seen.nodes}
    assert (phases[bench.asks], phases[bench.member]) == ("asks", "train")
    assert await invites(bench)


async def test_approving_lets_in(bench: Bench) -> None:
    assert "enrolled" in await bench.controls.approve(bench.asks)
    assert (await row(bench, bench.asks)).state == "enrolled"


async def test_rejecting_and_revoking_put_out(bench: Bench) -> None:
    assert await bench.controls.reject(bench.asks)
    assert await bench.controls.revoke(bench.member)
    for name in (bench.asks, bench.member):
        assert (await row(bench, name)).state == "expelled"


async def test_an_evicted_node_stays_a_member(bench: Bench) -> None:
    assert await bench.controls.evict(bench.member)
    async with aclosing(bench.controls.watch()) as watching:  # type: ignore[type-var]
        async for seen in watching:
            if not isinstance(seen, BoardSeen):
                continue
            found = next(r for r in seen.board.nodes if r.fingerprint == bench.member)
            assert found.state == "enrolled"
            if found.phase == "lost":
                break


async def test_invites_are_made_listed_and_taken_back(bench: Bench) -> None:
    made = await bench.controls.invite(InviteWish(role="observer", label="ward", hours=1, uses=3))
    assert (made.role, made.uses) == ("observer", 3)
    assert made.invite not in repr(made)
    newest = (await invites(bench))[0]
    assert (newest.id, newest.state, newest.uses_left) == (made.id, "open", 3)
    assert made.id in await bench.controls.revoke_invite(made.id)
    assert (await invites(bench))[0].state == "revoked"


async def test_pause_and_resume(bench: Bench) -> None:
    assert await bench.controls.pause()
    assert (await board(bench)).paused
    assert await bench.controls.resume()
    assert not (await board(bench)).paused


async def test_what_is_done_reaches_everybody_who_watches(bench: Bench) -> None:
    async with (
        aclosing(bench.controls.watch()) as one,  # type: ignore[type-var]
        aclosing(bench.controls.watch()) as two,  # type: ignore[type-var]
    ):
        for watching in (one, two):
            assert isinstance(await anext(watching), BoardSeen)
        await bench.controls.pause()
        for watching in (one, two):
            async for seen in watching:
                if isinstance(seen, BoardSeen) and seen.board.paused:
                    break


async def test_a_refusal_has_words_and_an_exit_status(bench: Bench) -> None:
    if isinstance(bench.controls, FakeCoordinator):
        bench.controls.refuses = Refused("no", exit_code=7)
    with pytest.raises(Refused) as caught:
        await bench.controls.reject(bench.member)
    assert caught.value.exit_code == 7
    assert caught.value.text


async def test_stopping_is_answered_before_it_happens(bench: Bench) -> None:
    assert "stops" in await bench.controls.stop()
