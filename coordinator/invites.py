"""Making an invite: the line of text for a participant, and what the database keeps of it."""

import ipaddress
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from coordinator.asks import AskInvite
from coordinator.clock import wall_s
from coordinator.config import CoordinatorConfig
from coordinator.refusals import BadRequestError
from coordinator.store import Invite as StoredInvite
from coordinator.store import InviteScope, Store
from fedtui.crypto.keys import Identity
from fedtui.status.coordinator import InviteLine, InviteState, MadeInvite
from fedtui.wire.invite import Invite, secret_hash
from fedtui.wire.labels import safe_label

_PROBES = (  # documentation addresses: connecting a datagram socket sends nothing
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)
_ANY = {"0.0.0.0", "::", ""}  # noqa: S104  compared with, not bound to


@dataclass(frozen=True, slots=True)
class InviteMaker:
    """`port` is the one that nodes connect to."""

    identity: Identity
    store: Store
    config: CoordinatorConfig
    port: int

    async def make(self, ask: AskInvite) -> MadeInvite:
        """A new invite, durable before it is returned.

        Raises:
            BadRequestError: nobody knows under which address nodes reach this machine.
        """
        addresses = self.addresses()
        hours = ask.hours if ask.hours is not None else self.config.invites.hours
        expires = wall_s() + 3600 * hours
        invite = Invite(
            coordinator_id=self.identity.id,
            invite_id=secrets.token_bytes(8),
            secret=secrets.token_bytes(16),
            expires=int(expires),
            addresses=addresses,
        )
        text = invite.encode()
        await self.store.add_invite(
            invite.invite_id,
            secret_hash(invite.secret),
            scope=InviteScope(
                role=ask.role, label=safe_label(ask.label), auto_approve=ask.auto_approve
            ),
            expires_at=float(invite.expires),
            uses=ask.uses,
            created_by="operator",
        )
        return MadeInvite(
            invite=text,
            id=invite.invite_id.hex(),
            expires=float(invite.expires),
            uses=ask.uses,
            role=ask.role,
            addresses=addresses,
        )

    def addresses(self) -> tuple[str, ...]:
        """Those of the configuration, else where this machine listens."""
        configured = self.config.invites.addresses
        if configured:
            return tuple(_with_port(address, self.port) for address in configured)
        host = self.config.server.host
        hosts = own_addresses() if host in _ANY else [host]
        if host == "0.0.0.0":  # noqa: S104  compared with
            hosts = [h for h in hosts if ":" not in h]
        if not hosts:
            raise BadRequestError(
                "this machine's address is not known: write it under [invites] addresses in "
                "coordinator.toml"
            )
        return tuple(_joined(h, self.port) for h in hosts)


def invite_lines(invites: Iterable[StoredInvite], now: float) -> list[InviteLine]:
    """Invites for people, newest first."""
    return [
        InviteLine(
            id=invite.invite_id.hex(),
            role=invite.scope.role,
            label=invite.scope.label,
            state=_state(invite, now),
            uses_left=invite.uses_left,
            expires=invite.expires_at,
            auto_approve=invite.scope.auto_approve,
        )
        for invite in reversed(tuple(invites))
    ]


def _state(invite: StoredInvite, now: float) -> InviteState:
    if invite.scope.revoked:
        return "revoked"
    if invite.uses_left < 1:
        return "spent"
    return "expired" if now >= invite.expires_at else "open"


def own_addresses() -> list[str]:
    """The addresses from which this machine would reach others; loopback if it has none."""
    found = []
    for family, probe in _PROBES:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sounding:
                sounding.connect((probe, 9))
                found.append(str(sounding.getsockname()[0]))
        except OSError:
            continue
    usable = [h for h in found if not ipaddress.ip_address(h.split("%")[0]).is_link_local]
    return usable or ["127.0.0.1"]


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _with_port(address: str, port: int) -> str:
    """The address as configured; this coordinator's port if it names none."""
    has_port = "]:" in address if address.startswith("[") else ":" in address
    return address if has_port else f"{address}:{port}"
