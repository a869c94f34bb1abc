"""Sightings: the bounded table of coordinators that announce themselves. No network, no clock.

Anybody on the network fills it, so it has room for MAX_SIGHTINGS services, of which one host gets
MAX_PER_HOST; a newcomer to a full table is not taken in, unless it claims an id that this machine
has pinned. What is not seen again goes away. What stands there is a claim: an address to try. The
handshake at that address decides, never this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fedtui.status import FoundCoordinator
from fedtui.wire.announcement import hint_of, label_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fedtui.wire.announcement import Announcement
    from node.pins import Pin

MAX_SIGHTINGS = 64
MAX_PER_HOST = 8
MAX_AGE_S = 60.0

Standing = Literal["new", "known", "same name, other key"]
_ORDER: tuple[Standing, ...] = ("known", "same name, other key", "new")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One announced service. `addresses` as one dials them, the best first; at least one."""

    service: str
    addresses: tuple[str, ...]
    said: Announcement

    @property
    def host(self) -> str:
        """The first address without its port."""
        return self.addresses[0].rpartition(":")[0]


class Sightings:
    """The table. Times are seconds of any one clock."""

    def __init__(self, pinned: Iterable[Pin] = ()) -> None:
        self.num_left_out = 0
        self._pins: dict[str, Pin] = {}
        self._names: set[str] = set()
        self._rows: dict[str, tuple[Sighting, float]] = {}  # in order of first sight
        self.use_pins(pinned)

    def __len__(self) -> int:
        return len(self._rows)

    def use_pins(self, pinned: Iterable[Pin]) -> None:
        """Compare with these from now on."""
        self._pins = {hint_of(pin.id): pin for pin in pinned}
        self._names = {_same(pin.label) for pin in self._pins.values()} - {""}

    def saw(self, sighting: Sighting, now: float) -> bool:
        """Take in a service, or what it says now; False if there is no room for it."""
        if sighting.service not in self._rows and not self._make_room(sighting):
            self.num_left_out += 1
            return False
        self._rows[sighting.service] = (sighting, now)
        return True

    def gone(self, service: str) -> None:
        """It said goodbye, or somebody said so in its name."""
        self._rows.pop(service, None)

    def age(self, now: float) -> None:
        """Forget what was not seen for MAX_AGE_S."""
        for service, (_, seen) in list(self._rows.items()):
            if now - seen > MAX_AGE_S:
                del self._rows[service]

    def found(self, now: float) -> tuple[FoundCoordinator, ...]:
        """Everything in the table, known ones first; all texts are safe to show."""
        self.age(now)
        listed = [self._show(sighting, now - seen) for sighting, seen in self._rows.values()]
        return tuple(sorted(listed, key=lambda one: _ORDER.index(one.standing)))

    def _make_room(self, newcomer: Sighting) -> bool:
        same_host = sum(row.host == newcomer.host for row, _ in self._rows.values())
        if same_host >= MAX_PER_HOST:
            return False
        if len(self._rows) < MAX_SIGHTINGS:
            return True
        if newcomer.said.hint not in self._pins:
            return False
        for service, (row, _) in reversed(self._rows.items()):
            if row.said.hint not in self._pins:
                del self._rows[service]
                return True
        return False

    def _show(self, sighting: Sighting, age_s: float) -> FoundCoordinator:
        said = sighting.said
        standing = self._standing(sighting)
        since_s = self._pins[said.hint].since_s if standing == "known" else 0.0
        return FoundCoordinator(
            name=_name(sighting),
            address=sighting.addresses[0],
            federation=said.federation,
            id_hint=said.hint,
            standing=standing,
            known_since=since_s,
            seen_s_ago=max(0.0, age_s),
        )

    def _standing(self, sighting: Sighting) -> Standing:
        said = sighting.said
        pin = self._pins.get(said.hint)
        if pin is not None:
            met_there = set(sighting.addresses) & set(pin.addresses)
            return "known" if met_there or not self._is_claimed_elsewhere(sighting) else _ORDER[1]
        name = _same(said.federation)
        others = (row.said for row, _ in self._rows.values() if row is not sighting)
        if name in self._names or any(
            name and _same(other.federation) == name and other.hint != said.hint
            for other in others
        ):
            return "same name, other key"
        return "new"

    def _is_claimed_elsewhere(self, sighting: Sighting) -> bool:
        """Whether somebody at other addresses claims the same id: one of them has no such key."""
        return any(
            row.said.hint == sighting.said.hint
            and not set(row.addresses) & set(sighting.addresses)
            for row, _ in self._rows.values()
        )


def _name(sighting: Sighting) -> str:
    """What to call it: its name without the piece of the id that makes it unique."""
    label = label_of(sighting.service)
    short = sighting.said.hint[:8]
    return (label.removesuffix(short).rstrip() if short else label) or "(no name)"


def _same(label: str) -> str:
    """Equal for labels that people would take for one another, as far as case and blanks go."""
    return "".join(label.casefold().split())
