"""A coordinator without a process: CoordinatorControls over a Board that tests change."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fedtui.status.coordinator import (
    Alarm,
    Board,
    BoardSeen,
    ConnectionLost,
    Happened,
    Health,
    InviteLine,
    InvitesSeen,
    InviteWish,
    MadeInvite,
    Masks,
    NodeRow,
    RoundLine,
    Seen,
)

if TYPE_CHECKING:
    from fedtui.status import Refused

NOW = 1_795_540_000.0
FINGERPRINT = "BK6L-UZEO-PLUP-UBBR-{:04d}-AAAA-BBBB-CCCC"


def node(number: int, label: str, **fields: object) -> NodeRow:
    """A node that takes part; `fields` change it."""
    row = NodeRow(
        fingerprint=FINGERPRINT.format(number),
        label=label,
        role="participant",
        state="enrolled",
        phase="train",
        fraction=0.6,
        since=NOW - 14,
        connected=True,
        address=f"192.168.1.{20 + number}",
        created=NOW - 90_000,
        approved_by="operator",
        last_seen=NOW,
        round_trip_s=0.004 * number,
        bytes_up=14_100_000 - 700_000 * number,
        bytes_down=14_900_000,
        chosen=12,
        counted=11,
    )
    return replace(row, **fields)


def a_round(number: int, score: float | None = None) -> RoundLine:
    return RoundLine(
        round=number,
        attempt=1,
        seconds=55.0 + number,
        score=score if score is not None else 0.94 - 0.8 * 0.7**number,
        participants=8,
        dropped=0,
        bytes_up=9_800_000,
        bytes_down=9_900_000,
        model="ab" * 32,
    )


NODES = (
    node(
        9,
        "birch",
        state="pending",
        phase="asks",
        since=NOW - 30,
        chosen=0,
        counted=0,
        bytes_up=3000,
        approved_by="",
        fraction=0.0,
        round_trip_s=None,
        words=("amber", "fjord", "lemon", "quartz", "violin", "zebra"),
    ),
    node(1, "alder-ws"),
    node(2, "maple", phase="lost", reason="lost the connection", since=NOW - 12, late=3,
         counted=8, round_trip_s=None, fraction=0.0, connected=False),
    node(3, "oak", phase="ready", fraction=0.0, late=1, rejected=1),
    node(4, "rowan-lab", phase="download", fraction=0.25),
    node(5, "willow", phase="waiting", fraction=0.0, role="evaluator", chosen=0, counted=0),
    node(6, "yew", phase="away", fraction=0.0, connected=False, round_trip_s=None),
    node(7, "hazel", state="expelled", phase="out", connected=False),
)  # fmt: skip
BOARD = Board(
    at=NOW,
    federation="mnist-clinics",
    task="digits",
    metric="accuracy",
    higher_is_better=True,
    target=0.97,
    maximum=50,
    state="collecting",
    text="round 12: 1 of 3 nodes are ready",
    round=12,
    attempt=1,
    present=7,
    needed=5,
    connected=8,
    pending=1,
    paused=False,
    ended=None,
    masked=True,
    privacy="updates are masked: the coordinator reads sums of at least 5 nodes",
    fingerprint=FINGERPRINT.format(0),
    words=("amber", "fjord", "lemon", "quartz", "violin", "zebra"),
    address="192.168.1.20:8443",
    pid=4121,
    incarnation=3,
    started_at=NOW - 8000,
    version="0.1.0",
    nodes=NODES,
    num_nodes=len(NODES),
    health=Health(
        phase="collecting",
        deadline_at=NOW + 46,
        awaited=("alder-ws", "rowan-lab"),
        num_awaited=2,
        answered=1,
        cohort=4,
        masks=Masks(keys=1, needed=3, colluders=1),
        attempts_failed=1,
        late=4,
        unfit=1,
    ),
    rounds=tuple(a_round(number) for number in range(1, 12)),
    num_rounds=11,
    best_round=11,
    best_score=0.924,
    alarms=(
        Alarm(
            number=1, at=NOW - 300, kind="round failed", text="round 9 failed: 4 of 8 were left"
        ),
        Alarm(
            number=2,
            at=NOW - 12,
            kind="dropped out",
            text="maple dropped out of round 12: lost the connection and did not come back",
        ),
    ),
    invites_changed=1,
)
INVITES = (
    InviteLine(id="00" * 8, role="participant", label="ward-a", state="open", uses_left=1,
               expires=NOW + 36_000, auto_approve=False),
    InviteLine(id="11" * 8, role="evaluator", label="", state="spent", uses_left=0,
               expires=NOW + 36_000, auto_approve=True),
)  # fmt: skip
EVENTS = (
    Happened(at=NOW - 40, level="ok", source="round", text="round 11 finished: 8 nodes, 62 s"),
    Happened(at=NOW - 38, level="ok", source="model", text="round 11 scored 0.924"),
    Happened(at=NOW - 30, level="warning", source="node", text="birch asks to join"),
    Happened(at=NOW - 20, level="info", source="round", text="round 12 started with 4 nodes"),
    Happened(at=NOW - 12, level="error", source="alarm", text="maple dropped out of round 12"),
)
EMPTY = replace(
    BOARD,
    state="waiting",
    text="waiting for 5 nodes (0 are here)",
    round=0,
    attempt=0,
    present=0,
    connected=0,
    pending=0,
    nodes=(),
    num_nodes=0,
    health=Health(),
    rounds=(),
    num_rounds=0,
    best_round=0,
    best_score=None,
    alarms=(),
)
INVITE = "fedtui1:" + "aB3dE5gH" * 18


class FakeCoordinator:
    """Does what a coordinator would to its board, and remembers what it was asked."""

    def __init__(
        self,
        board: Board = BOARD,
        invites: tuple[InviteLine, ...] = INVITES,
        events: tuple[Happened, ...] = EVENTS,
    ) -> None:
        self.board = board
        self.events = events
        self.list = invites
        self.asked: list[tuple[str, object]] = []
        self.refuses: Refused | None = None
        self._watchers: set[asyncio.Queue[Seen]] = set()

    # ---- what tests do ------------------------------------------------------------------------

    def say(self, seen: Seen) -> None:
        """To everybody who watches."""
        for queue in self._watchers:
            queue.put_nowait(seen)

    def change(self, **fields: object) -> None:
        """Another board."""
        self.board = replace(self.board, **fields)
        self.say(BoardSeen(board=self.board))

    def lose(self) -> None:
        self.say(ConnectionLost(at=NOW, text="the coordinator stopped"))

    # ---- CoordinatorControls ------------------------------------------------------------------

    async def watch(self) -> AsyncIterator[Seen]:
        queue: asyncio.Queue[Seen] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield BoardSeen(board=self.board)
            yield InvitesSeen(invites=self.list)
            for event in self.events:
                yield event
            while True:
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    async def approve(self, fingerprint: str) -> str:
        self._ask("approve", fingerprint)
        self._move(fingerprint, state="enrolled", phase="waiting")
        return "birch is enrolled as participant"

    async def reject(self, fingerprint: str) -> str:
        self._ask("reject", fingerprint)
        self._move(fingerprint, state="expelled", phase="out", connected=False)
        return "birch is turned away"

    async def revoke(self, fingerprint: str) -> str:
        self._ask("revoke", fingerprint)
        self._move(fingerprint, state="expelled", phase="out", connected=False)
        return "it is out"

    async def evict(self, fingerprint: str) -> str:
        self._ask("evict", fingerprint)
        self._move(fingerprint, phase="lost")
        return "it is out of this round"

    async def invite(self, wish: InviteWish) -> MadeInvite:
        self._ask("invite", wish)
        made = MadeInvite(
            invite=INVITE,
            id="22" * 8,
            expires=NOW + 3600,
            uses=wish.uses,
            role=wish.role,
            addresses=("192.168.1.20:8443",),
        )
        line = InviteLine(
            id=made.id,
            role=wish.role,
            label=wish.label,
            state="open",
            uses_left=wish.uses,
            expires=made.expires,
            auto_approve=wish.auto_approve,
        )
        self.list = (line, *self.list)
        self.say(InvitesSeen(invites=self.list))
        return made

    async def revoke_invite(self, invite_id: str) -> str:
        self._ask("revoke_invite", invite_id)
        self.list = tuple(
            replace(line, state="revoked", uses_left=0) if line.id == invite_id else line
            for line in self.list
        )
        self.say(InvitesSeen(invites=self.list))
        return f"invite {invite_id} lets nobody in any more"

    async def pause(self) -> str:
        self._ask("pause", None)
        self.change(paused=True)
        return "no new round begins; the one under way is finished"

    async def resume(self) -> str:
        self._ask("resume", None)
        self.change(paused=False)
        return "rounds go on"

    async def next_round(self) -> str:
        self._ask("next_round", None)
        return "a round begins with the 7 nodes here"

    async def stop(self) -> str:
        self._ask("stop", None)
        return "the coordinator stops"

    def _ask(self, name: str, what: object) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append((name, what))

    def _move(self, fingerprint: str, **fields: object) -> None:
        nodes = tuple(
            replace(row, **fields) if row.fingerprint == fingerprint else row
            for row in self.board.nodes
        )
        self.change(nodes=nodes)
