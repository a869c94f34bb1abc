"""A masked attempt on a desk: the machine as it is, real halves of nodes, and no network.

    desk = MaskedDesk(6).until(Phase.VOTING)
    desk.vote(0, 1, 2, 3)

Nodes are numbered by rising id, so a node's number is its position while all of them were ready.
`records`, `effects` and `inbox[node]`: what was made durable, was done last, and was told a node.
"""

import hashlib
from collections import defaultdict

import msgspec
import numpy as np
from desk import MANIFEST, make_plan

from fedtui.crypto.keys import Identity
from fedtui.rounds.attempt import Frame, Peer
from fedtui.rounds.history import replay
from fedtui.rounds.machine import (
    Aggregate,
    Aggregated,
    Left,
    Persist,
    Said,
    Send,
    Tick,
    UpdateArrived,
    UpdateOpened,
)
from fedtui.rounds.masked import Phase
from fedtui.rounds.masked_evaluation import MaskedEvaluation
from fedtui.rounds.masked_round import MaskedRound
from fedtui.rounds.plan import DeadlinesSection, Plan, PrivacySection, TaskSection
from fedtui.rounds.records import RoundFinished
from fedtui.rounds.suspicion import GroupSeen
from fedtui.secagg import masks, opening
from fedtui.secagg.coordinator import Coordinator, Unmasking
from fedtui.secagg.participant import Masks, Participant
from fedtui.secagg.terms import Terms
from fedtui.wire.messages import (
    Accepting,
    Mailbox,
    MaskedSums,
    ModelRef,
    Roster,
    Survivors,
    Votes,
)

BOSS = Identity.from_seed(b"c" * 32)
NODES = sorted(
    (Identity.from_seed(hashlib.sha256(b"node %d" % i).digest()) for i in range(12)),
    key=lambda one: one.id,
)
BASE = ModelRef(round=0, digest=b"0" * 32, num_bytes=16)
DEADLINES = DeadlinesSection(
    accept_s=5, update_s=20, rejoin_s=3, evaluate_s=10, share_s=4, mask_s=8, reveal_s=6
)


def masked_plan(**privacy: object) -> Plan:
    return make_plan(
        deadlines=DEADLINES, privacy=PrivacySection(**({"updates": "masked"} | privacy))
    )


def node(number: int) -> bytes:
    return NODES[number].id


def number_of(name: bytes) -> int:
    return next(i for i, one in enumerate(NODES) if one.id == name)


class MaskedDesk:
    def __init__(
        self,
        num: int = 6,
        *,
        evaluation: bool = False,
        aes: tuple[int, ...] = (),
        metric: str = "accuracy",
        **privacy: object,
    ) -> None:
        self.num, self.now, self.incarnation = num, 1000.0, 1
        task = TaskSection(name="digits", metric=metric)
        self.plan = msgspec.structs.replace(masked_plan(**privacy), task=task)
        self.inbox: dict[bytes, list] = defaultdict(list)
        self.records = [RoundFinished(0, 0, model_digest=BASE.digest, checkpoint_name="", sums={})]
        self.effects: list = []
        self.vectors: dict[int, np.ndarray] = {}
        self.aes = aes
        kind = MaskedEvaluation if evaluation else MaskedRound
        self.machine = kind(self.frame(), number=1, attempt=1, base=BASE, started=self.now)
        cohort = [node(i) for i in range(num)]
        self.machine.introduce({n.id: Peer(n.public, 1) for n in NODES[:num]})
        if evaluation:
            self._take(self.machine.ask(frozenset(cohort), {}, self.now))
        else:
            self._take(self.machine.begin(frozenset(cohort), self.now))
        self.halves = [self.half(i) for i in range(num)]

    def frame(self) -> Frame:
        return Frame(
            plan=self.plan,
            plan_hash=b"p" * 32,
            manifest_digest=MANIFEST,
            incarnation=self.incarnation,
            identity=BOSS,
            federation_id=b"f" * 32,
            num_values=5,
        )

    def half(self, number: int, seed: int = 0) -> Participant:
        numbers = self.machine.numbers
        return Participant(
            self.machine.secret.attempt,
            Terms(
                colluders=numbers.colluders,
                minimum=numbers.minimum,
                largest=self.num,
                group=numbers.group,
                aes=number in self.aes,
            ),
            signer=NODES[number],
            coordinator=BOSS.public,
            entropy=np.random.default_rng([seed, number]).bytes,
        )

    def restart(self) -> None:
        """Another life of the coordinator: what the store holds, and nothing else."""
        self.incarnation += 1
        attempt = replay(self.records).open
        assert attempt is not None
        self.machine = MaskedRound(
            self.frame(), number=1, attempt=attempt.attempt, base=BASE, started=self.now
        )
        self._take(self.machine.resume(attempt, self.now))

    # ---- events ---------------------------------------------------------------------------------

    def _take(self, effects: list) -> list:
        self.effects = effects
        self.records += [e.record for e in effects if isinstance(e, Persist)]
        for effect in effects:
            if isinstance(effect, Send):
                self.inbox[effect.node].append(effect.message)
        return effects

    def put(self, event, *, after_s: float = 0.0) -> list:
        self.now += after_s
        return self._take(self.machine.handle(event, self.now))

    def wait(self, seconds: float) -> list:
        return self.put(Tick(), after_s=seconds)

    def say(self, number: int, message) -> list:
        return self.put(Said(node(number), message))

    def leave(self, *numbers: int) -> None:
        for number in numbers:
            self.put(Left(node(number), for_good=True))

    def heard(self, number: int, kind: type):
        """The newest message of a kind that a node was sent."""
        return next(m for m in reversed(self.inbox[node(number)]) if isinstance(m, kind))

    @property
    def phase(self) -> Phase:
        return self.machine.phase

    @property
    def which(self) -> dict[str, int]:
        return {"incarnation": self.incarnation, "round": 1, "attempt": self.machine.attempt}

    # ---- what nodes do --------------------------------------------------------------------------

    def accept(self, *numbers: int) -> None:
        for number in numbers:
            self.say(number, Accepting(**self.which))

    def ready(self, *numbers: int) -> None:
        for number in numbers:
            self.say(number, self.halves[number].advertise())

    def share(self, *numbers: int) -> None:
        for number in numbers:
            self.say(number, self.halves[number].share(self.heard(number, Roster)))

    def scalars(self, number: int) -> dict[str, float]:
        rng = np.random.default_rng([number, 8])
        return {name: float(rng.integers(1, 1000)) for name in self.machine.encoding.scalars}

    def plain(self, number: int, of: Masks | None = None) -> np.ndarray:
        """The node's vector without masks, or with these."""
        layout = self.machine.encoding
        rng = np.random.default_rng([number, 7])
        update_D = rng.normal(0, 1, layout.num_values).astype(np.float32)
        masked_by = of or Masks((), ())
        return masks.masked(layout, update_D, self.scalars(number), weight=0.5, of=masked_by)[0]

    def opened(self, number: int, **changes: object) -> UpdateOpened:
        fields = {
            "node": node(number),
            "stream": number,
            **self.which,
            "num_bytes": self.machine.encoding.num_bytes,
            "digest": bytes([number]) * 32,
            "manifest_digest": MANIFEST,
            "header": None,
        }
        return UpdateOpened(**(fields | changes))

    def arrived(self, number: int) -> UpdateArrived:
        return UpdateArrived(node(number), number, 1, self.machine.attempt, bytes([number]) * 32)

    def cover(self, number: int) -> np.ndarray:
        of = self.halves[number].masks(self.heard(number, Mailbox))
        self.vectors[number] = self.plain(number, of)
        return self.vectors[number]

    def mask(self, *numbers: int) -> None:
        for number in numbers:
            words = self.cover(number)
            if isinstance(self.machine, MaskedEvaluation):
                self.say(number, MaskedSums(**self.which, words=words.astype("<u8").tobytes()))
            else:
                self.put(self.opened(number))
                self.put(self.arrived(number))

    def ballot(self, number: int):
        return self.halves[number].vote(self.heard(number, Survivors))

    def vote(self, *numbers: int) -> None:
        for number in numbers:
            self.say(number, self.ballot(number))

    def reveal(self, *numbers: int) -> None:
        for number in numbers:
            self.say(number, self.halves[number].reveal(self.heard(number, Votes)))

    STEPS = ("accept", "ready", "share", "mask", "vote", "reveal")

    def until(self, phase: Phase, *, without: tuple[int, ...] = ()) -> "MaskedDesk":
        """Everybody answers, all but these, as long as the phase is an earlier one."""
        order = list(Phase)
        for number, step in enumerate(self.STEPS):
            if order[number] is phase:
                break
            if isinstance(self.machine, MaskedEvaluation) and step == "accept":
                continue
            getattr(self, step)(*(i for i in range(self.num) if i not in without))
        assert self.phase is phase, f"{self.phase.name}: {self.machine.failure}"
        return self

    # ---- the sum --------------------------------------------------------------------------------

    def sum_is_exact(self) -> bool:
        """Whether what opens is, integer for integer, the sum of the survivors' vectors."""
        (effect,) = [e for e in self.effects if isinstance(e, Aggregate)]
        assert effect.opener is not None
        halves = effect.opener.groups.values()
        sums = [half.ids(half.survivors) for half in halves]
        assert tuple(c.node for c in effect.contributions) == self.machine.survivors
        assert sorted(n for nodes in sums for n in nodes) == list(self.machine.survivors)
        return all(map(self._is_exact, halves))

    def _is_exact(self, half: Coordinator) -> bool:
        numbers = [number_of(one) for one in half.ids(half.survivors)]
        layout = self.machine.encoding
        masked = sum((self.vectors[i] for i in numbers), np.zeros(1, np.uint64))
        plain = sum((self.plain(i) for i in numbers), np.zeros(1, np.uint64))
        opened = opening.whole(layout, masked, half.unmasking())
        known = opening.whole(layout, plain, Unmasking(len(numbers), (), ()))
        return opened.scalars == known.scalars and np.array_equal(opened.values_D, known.values_D)

    def aggregated(self, groups: tuple[GroupSeen, ...] = ()) -> list:
        model = ModelRef(round=1, digest=b"M" * 32, num_bytes=16)
        sums = {"examples": 3.0}
        done = Aggregated(1, self.machine.attempt, model, "round-1", sums, groups=groups)
        return self.put(done)


def later(message, **changes: object):
    """The same message with other words in it."""
    return msgspec.structs.replace(message, **changes)
