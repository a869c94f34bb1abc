"""What belongs to a node whatever it is a member of, and what it needs of its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from node.transfers import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedtui.crypto.keys import Identity, PublicIdentity
    from fedtui.wire.halves import NodeHello
    from fedtui.wire.messages import ServerHello
    from fedtui.wire.rotation import Succession
    from node.board import Board
    from node.keystore import TrustStore
    from node.ledger import Ledger
    from node.meter import Traffic
    from node.models import Models
    from node.own_key import OwnKey
    from node.paths import Profile
    from node.trainer import Trainer
    from node.updates import Updates


class Connection(Session, Protocol):
    """What is needed of a Link (node/link.py); benchmarks and tests may bring another."""

    coordinator: PublicIdentity | None
    server_hello: ServerHello | None
    successions: tuple[Succession, ...]

    @property
    def connected(self) -> bool: ...

    def ready(self, plan_hash: bytes, declared: Mapping[str, str]) -> bool: ...

    def use_hello(self, hello: NodeHello) -> None: ...

    def stop(self, text: str = ...) -> None: ...

    def cut(self) -> None: ...

    def retry(self) -> None: ...

    def pace(self, bytes_per_s: float) -> None: ...

    def traffic(self, now: float) -> Traffic: ...

    def totals(self) -> tuple[int, int]: ...

    async def run(self) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One profile's parts. `clock` gives UTC seconds."""

    profile: Profile
    key: OwnKey
    trust: TrustStore
    board: Board
    ledger: Ledger
    models: Models
    updates: Updates
    trainer: Trainer
    clock: Callable[[], float]

    @property
    def identity(self) -> Identity:
        """Who this node is now; another one after a rotation of its key."""
        return self.key.identity
