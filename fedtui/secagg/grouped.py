"""The coordinator's half of an attempt whose roster may be split into groups: one half for each.

What nodes say goes to the half of their group. A group that has too few left is dropped with a
reason, and the attempt goes on without it as long as the others are enough; whoever drives it says
when. Without groups there is one, the roster itself.

`survivors` of a group that was dropped stay part of what is frozen: its members may have voted.
"""

from collections.abc import Callable, Iterable, Mapping

from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.secagg import groups
from fedtui.secagg.context import Attempt
from fedtui.secagg.coordinator import Coordinator, Frozen
from fedtui.wire.messages import Mailbox, Ready, Reveal, Roster, Shares, Survivors, Vote, Votes


class Grouped:
    """One attempt. `group` is the least members of a group; 0: no groups."""

    def __init__(
        self,
        attempt: Attempt,
        identity: Identity,
        *,
        colluders: int,
        minimum: int,
        dropouts: int = 0,
        group: int = 0,
    ) -> None:
        self.attempt = attempt
        self.group = group
        self.dropped: dict[int, str] = {}
        self._identity = identity
        self._whole = Coordinator(
            attempt, identity, colluders=colluders, minimum=minimum, dropouts=dropouts
        )
        self._halves: tuple[Coordinator, ...] = ()
        self._positions: tuple[tuple[int, ...], ...] = ()
        self._at: dict[bytes, int] = {}

    # ---- Ready, Roster ------------------------------------------------------------------------

    @property
    def num_ready(self) -> int:
        return self._whole.num_ready

    def ready(self, node: PublicIdentity, not_before: int, message: Ready) -> bool:
        """Take a node's keys; False for keys or a signature that no other node would take."""
        return self._whole.ready(node, not_before, message)

    def introduce(self, incarnation: int, nodes: Iterable[bytes] | None = None) -> Roster:
        """Freeze the roster, and its groups: those of `nodes` (default: all) who are ready now."""
        roster = self._whole.introduce(incarnation, nodes, group=self.group)
        self._split()
        return roster

    def roster(self, incarnation: int) -> Roster:
        return self._whole.roster(incarnation)

    @property
    def context2(self) -> bytes:
        """ctx2 of the whole roster."""
        return self._whole.context2

    def _split(self) -> None:
        parts = groups.parts(self.attempt.context(), self._whole.body)
        self._positions = tuple(part.positions for part in parts)
        self._halves = (self._whole,)
        if self.group:
            self._halves = tuple(map(self._half, parts))
        self._at = {n: at for at, half in enumerate(self._halves) for n in half.nodes}

    def _half(self, part: groups.Part) -> Coordinator:
        half = Coordinator(
            self.attempt,
            self._identity,
            colluders=part.body.colluders,
            minimum=part.body.minimum,
        )
        half.take(part)
        return half

    # ---- groups -------------------------------------------------------------------------------

    @property
    def groups(self) -> Mapping[int, Coordinator]:
        """The groups that are still part of the attempt, by number."""
        return {at: half for at, half in enumerate(self._halves) if at not in self.dropped}

    @property
    def num_groups(self) -> int:
        """How many there were at first."""
        return len(self._halves)

    def drop(self, at: int, reason: str) -> tuple[bytes, ...]:
        """Go on without group `at`, for good; these are its members."""
        self.dropped[at] = reason
        return self._halves[at].nodes

    def members(self, at: int) -> tuple[bytes, ...]:
        """Who was put into group `at`, by rising id."""
        return self._halves[at].nodes

    def group_of(self, node: bytes) -> int:
        """The number of a node's group. Raises KeyError for who is not in the roster."""
        return self._at[node]

    def _of(self, node: bytes) -> Coordinator | None:
        at = self._at.get(node)
        return None if at is None or at in self.dropped else self._halves[at]

    # ---- Shares, Mailbox ----------------------------------------------------------------------

    def shares(self, node: bytes, message: Shares) -> bool:
        """Take a node's sealed shares: one for each neighbour, or none count."""
        half = self._of(node)
        return half is not None and half.shares(node, message)

    def include(self, nodes: Iterable[bytes]) -> None:
        """Fix U1 of every group: those of `nodes` whose shares are all here."""
        there = set(nodes)
        for half in self.groups.values():
            half.include(there & set(half.nodes))

    def mailbox(self, node: bytes, incarnation: int) -> Mailbox:
        """What a node of U1 is told."""
        return self._halves[self._at[node]].mailbox(node, incarnation)

    # ---- Survivors, Vote, Votes ---------------------------------------------------------------

    def choose(self, nodes: Iterable[bytes]) -> tuple[bytes, ...]:
        """Fix U2 of every group: those of U1 whose vectors are whole and durable; all of them."""
        there, chosen = set(nodes), set[bytes]()
        for half in self.groups.values():
            chosen.update(half.ids(half.choose(there & set(half.nodes))))
        return tuple(sorted(chosen))

    def survivors_message(self, node: bytes, incarnation: int) -> Survivors:
        return self._halves[self._at[node]].survivors_message(incarnation)

    def vote(self, node: bytes, message: Vote) -> bool:
        """Count a survivor's vote; False if it is for another set or not its own."""
        half = self._of(node)
        return half is not None and half.vote(node, message)

    def has_voted(self, node: bytes) -> bool:
        half = self._of(node)
        return half is not None and half.has_voted(node)

    def votes(self, node: bytes, incarnation: int) -> Votes:
        """The certificate of a node's group, of all votes so far."""
        return self._halves[self._at[node]].votes(incarnation)

    # ---- Reveal -------------------------------------------------------------------------------

    def reveal(self, node: bytes, message: Reveal) -> bool:
        """Take a survivor's shares; False for what it cannot hold, or says twice."""
        half = self._of(node)
        return half is not None and half.reveal(node, message)

    @property
    def can_open(self) -> bool:
        """Whether every sum that is still wanted has enough shares of its secrets."""
        return all(half.can_open for half in self.groups.values())

    # ---- another life -------------------------------------------------------------------------

    def frozen(self) -> Frozen:
        """What to make durable with the survivors; positions are those of the whole roster."""
        return Frozen(
            body=self._whole.body,
            included=self._in_roster(lambda half: half.included),
            survivors=self._in_roster(lambda half: half.survivors),
        )

    def _in_roster(self, places: Callable[[Coordinator], tuple[int, ...]]) -> tuple[int, ...]:
        named = zip(self._positions, self._halves, strict=True)
        return tuple(sorted(positions[p] for positions, half in named for p in places(half)))

    def thaw(self, frozen: Frozen) -> None:
        """Go on from what a former life froze, in a fresh object of the same attempt."""
        self._whole.thaw(frozen)
        self.group = frozen.body.group
        self._split()
        included, survivors = set(frozen.included), set(frozen.survivors)
        for at, (positions, half) in enumerate(zip(self._positions, self._halves, strict=True)):
            half.fix(
                tuple(i for i, p in enumerate(positions) if p in included),
                tuple(i for i, p in enumerate(positions) if p in survivors),
            )
            if not half.survivors:
                self.dropped[at] = "it was dropped before the coordinator was restarted"
