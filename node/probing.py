"""Probing: who answers at an address, before anything of this node's was sent.

    dial -> M1 (a fresh key) -> M2: their keys, proven -> hang up

The third message, which would say who we are, is never sent, and the key that the handshake is
made with is made for it. What was probed is kept for a while, so that a screen can name it by its
id once its operator has verified it.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass

import aiohttp

from fedtui.crypto.keys import SEED_BYTES, Identity, PublicIdentity, fingerprint
from fedtui.crypto.words import words
from fedtui.errors import ChannelError, CloseCode
from fedtui.status import ProbedCoordinator
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import PROTOCOL_MAX, PROTOCOL_MIN
from node.dial import identify, not_reached
from node.exits import Exit, Stop

DEFAULT_PORT = 8443
MAX_KEPT = 16

_HOST = re.compile(r"(?:https?://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class Probed:
    """Who answered. `federation` is safe to show; `versions` are the least and the greatest."""

    address: str
    identity: PublicIdentity
    federation: str
    versions: tuple[int, int]


def parse_address(text: str) -> str:
    """HOST:PORT as it is dialled, the usual port if none is named. Raises Stop."""
    found = _HOST.fullmatch(text.strip())
    port = int(found[2] or DEFAULT_PORT) if found else 0
    if not found or not 1 <= port <= 65535:
        raise Stop(
            f"{safe_label(text)!r} is no address",
            remedy="write it like 192.168.1.20:8443, coordinator.example:8443 or [fd00::1]:8443",
            exit_code=Exit.USAGE,
        )
    scheme = "https://" if text.strip().startswith("https://") else ""
    return f"{scheme}{found[1]}:{port}"


async def probe(address: str) -> Probed:
    """Ask who answers there.

    Raises:
        Stop: that is no address, nobody answers, what answers is no coordinator, or one that
            speaks no version of the protocol that this node speaks.
    """
    dialled = parse_address(address)
    nobody = Identity.from_seed(os.urandom(SEED_BYTES))
    try:
        found = await identify(nobody, dialled)
    except ChannelError as error:
        raise _no_coordinator(dialled, error) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Stop(
            not_reached(dialled, error).text,
            remedy="check the address with the coordinator's operator, and that this machine's "
            "network leads there",
            exit_code=Exit.UNREACHABLE,
        ) from error
    hello = found.hello
    return Probed(
        dialled,
        found.identity,
        safe_label(hello.federation),
        (hello.version_min, hello.version_max),
    )


def _no_coordinator(address: str, error: ChannelError) -> Stop:
    if error.code == CloseCode.VERSION:
        return Stop(
            f"the coordinator at {address} speaks another version of the protocol: {error}. "
            "Nothing was sent",
            remedy="update the older of the two (here: pip install -U fedtui), or ask for a "
            f"federation of version {_range((PROTOCOL_MIN, PROTOCOL_MAX))}",
            exit_code=Exit.VERSION,
        )
    return Stop(
        f"what answers at {address} is no coordinator that this node can talk to: {error}. "
        "Nothing was sent",
        remedy="check the address with the coordinator's operator",
        exit_code=Exit.UNREACHABLE if error.code == CloseCode.BYE else Exit.PROTOCOL,
    )


class Probes:
    """What a daemon probed lately, by id and address."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Probed] = {}  # oldest first

    async def probe(self, address: str) -> ProbedCoordinator:
        """As a screen sees it; its words take half a second. Raises Stop as `probe` does."""
        found = await probe(address)
        spoken = await asyncio.to_thread(words, found.identity.id)
        key = (found.identity.id.hex(), found.address)
        self._kept.pop(key, None)
        self._kept[key] = found
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return ProbedCoordinator(
            coordinator_id=found.identity.id.hex(),
            address=found.address,
            label=found.federation,
            fingerprint=fingerprint(found.identity.id),
            words=spoken,
            version=_range(found.versions),
        )

    def taken(self, address: str, coordinator_id: str) -> Probed:
        """What answered there with this id. Raises Stop if that was not probed."""
        found = self._kept.get((coordinator_id, parse_address(address)))
        if found is None:
            raise Stop(
                "no coordinator with that id was found at that address",
                remedy="probe the address first, and compare the words",
                exit_code=Exit.USAGE,
            )
        return found


def _range(versions: tuple[int, int]) -> str:
    least, greatest = versions
    return str(least) if least == greatest else f"{least} to {greatest}"
