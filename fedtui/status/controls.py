"""NodeControls: all that a screen or a command may ask of a node; and what it answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from fedtui.status.parts import Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fedtui.status.limits import Limits
    from fedtui.status.parts import LedgerLine, LogLine, NodeStatus, PastRound


class Refused(Exception):  # noqa: N818 - reads as what happened: the node refused the command
    """A command that the node did not carry out; for people, with the commands' exit code."""

    def __init__(self, text: str, *, remedy: str = "", exit_code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy
        self.exit_code = exit_code


class CheckReport(Part, frozen=True):
    """What the trainer found in task and data: not usable if `problems` is not empty.

    `exit_code` is that of a command which ends for them; 0 where they have none of their own.
    `warnings` are worth reading and stop nothing.
    """

    facts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    exit_code: int = 0


class Setup(Part, frozen=True):
    """What the operator decides before joining; None leaves what node.toml says."""

    data: str | None = None
    split: str | None = None
    shard: str | None = None
    label: str | None = None
    role: str | None = None
    visible: bool | None = None


class FoundCoordinator(Part, frozen=True):
    """A coordinator that announced itself on this network: an address to try, never trust.

    `standing` compares the id it claims with what this machine has pinned.
    """

    name: str
    address: str
    federation: str
    version: str = ""
    id_hint: str = ""
    standing: Literal["new", "known", "same name, other key"] = "new"
    known_since: float = 0.0
    seen_s_ago: float = 0.0


class ProbedCoordinator(Part, frozen=True):
    """Who answered at an address, as its handshake proved: nothing of ours was sent.

    `words` are those that its operator's screen shows: a screen of ours hides them until the
    operator has typed the two it asks for.
    """

    coordinator_id: str
    address: str
    label: str
    fingerprint: str
    words: tuple[str, ...]
    version: str = ""
    remedy: str = ""


class InviteSeen(Part, frozen=True):
    """What an invite says before it is used; its secret is not shown."""

    coordinator_id: str
    fingerprint: str
    addresses: tuple[str, ...]
    expires: float = 0.0


class NodeControls(Protocol):
    """What a screen or a command may ask of a node. Every method may raise `Refused`."""

    async def status(self) -> NodeStatus: ...

    def watch(self) -> AsyncIterator[NodeStatus]:
        """The status now and after every change; merged if need be, the newest always comes."""
        ...

    # ---- joining ------------------------------------------------------------------------------

    async def discover(self) -> tuple[FoundCoordinator, ...]:
        """Listen on this network for some seconds; what announced itself."""
        ...

    async def probe(self, address: str) -> ProbedCoordinator:
        """Ask who answers at HOST:PORT, and send nothing of this node's."""
        ...

    async def read_invite(self, invite: str) -> InviteSeen: ...

    async def setup(self, choice: Setup) -> None:
        """Write what the operator decided into node.toml; 'join' takes it up."""
        ...

    async def join(self, invite: str = "") -> None:
        """Read the configuration again and connect, with this invite if there is one.

        An invite of a coordinator that node.toml does not name is taken up if the node is in no
        federation.
        """
        ...

    async def join_at(self, address: str, coordinator_id: str) -> None:
        """Pin the coordinator that was probed and verified by the operator, and ask to enter."""
        ...

    async def check(self) -> CheckReport:
        """Try task and data once, without sending anything. Needs the plan."""
        ...

    async def consent(self, plan_hash: str) -> None:
        """The operator agrees to exactly this plan and to what `PlanSummary.leaves` says."""
        ...

    async def withdraw(self) -> None:
        """Take the consent back: the node sits out until the operator agrees again."""
        ...

    # ---- while it runs ------------------------------------------------------------------------

    async def pause(self, until: float = 0.0) -> None:
        """Take no work; by itself again at `until`, UTC seconds, if that is not 0."""
        ...

    async def resume(self) -> None: ...

    async def stop_sharing(self) -> None:
        """At once: end the trainer, close the connection, discard what was not sent; then pause.

        Needs nobody's answer, and is done within a second.
        """
        ...

    async def limit(self, limits: Limits) -> None:
        """Make these the operator's limits, durably and at once."""
        ...

    async def retry(self) -> None:
        """Dial now rather than after the back-off."""
        ...

    async def acknowledge(self, alarm_id: int) -> None: ...

    async def rotate_key(self) -> None:
        """Give this node a new key, vouched for by the old one; its id changes with it."""
        ...

    async def leave(self, *, after_round: bool = False, forget: bool = False) -> None:
        """End the membership; with `after_round` when the round under way is over.

        `forget` drops the coordinator's pinned key too.
        """
        ...

    async def stop(self) -> None: ...

    # ---- reading ------------------------------------------------------------------------------

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]: ...

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]: ...

    async def history(self, limit: int = 100) -> tuple[PastRound, ...]:
        """Rounds that are over, oldest first, also those of earlier lives of the daemon.

        Of the federation that the node is or was last in: another counts from round 1, too.
        """
        ...

    async def words(self) -> tuple[str, ...]:
        """The six words of this node's own key (half a second of work)."""
        ...
