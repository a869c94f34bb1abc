"""A Federation on a desk: no network, no nodes; the test says what happens, and reads effects."""

from dataclasses import dataclass, field

import msgspec

from fedtui.rounds.attempt import Frame
from fedtui.rounds.federation import Federation
from fedtui.rounds.history import replay
from fedtui.rounds.machine import (
    Aggregate,
    Aggregated,
    CoordinatorEffect,
    CoordinatorEvent,
    Joined,
    Persist,
    Said,
    Send,
    UpdateArrived,
    UpdateOpened,
)
from fedtui.rounds.plan import (
    DeadlinesSection,
    FederationSection,
    Plan,
    PrivacySection,
    RoundsSection,
    SelectionSection,
    TaskSection,
)
from fedtui.rounds.records import Record, RoundFinished
from fedtui.wire.messages import Accepting, Evaluation, ModelRef, UpdateHeader

NUM_BYTES = 16
MANIFEST = b"m" * 32


def make_plan(**sections: object) -> Plan:
    plan = Plan(
        federation=FederationSection(name="desk"),
        task=TaskSection(name="digits"),
        deadlines=DeadlinesSection(accept_s=5, update_s=20, rejoin_s=3, evaluate_s=10),
        selection=SelectionSection(minimum=2),
        rounds=RoundsSection(maximum=100),
        privacy=PrivacySection(updates="visible"),
    )
    return msgspec.structs.replace(plan, **sections)


def name(number: int) -> bytes:
    return f"n{number}".encode().ljust(32, b".")


def measured(correct: float = 5, examples: float = 10) -> dict[str, float]:
    return {"loss_sum": 1.0, "correct": correct, "examples": examples}


@dataclass
class Desk:
    """`now` is the clock; `effects` those of the last call; `records` all that was persisted."""

    plan: Plan = field(default_factory=make_plan)
    now: float = 1000.0
    incarnation: int = 1
    records: list[Record] = field(default_factory=list)
    effects: list[CoordinatorEffect] = field(default_factory=list)
    federation: Federation = field(init=False)

    def __post_init__(self) -> None:
        first = RoundFinished(
            0, 0, model_digest=b"0" * 32, checkpoint_name="0", sums={}, num_bytes=NUM_BYTES
        )
        self.records.append(first)
        self._boot()

    def _boot(self) -> None:
        frame = Frame(
            plan=self.plan,
            plan_hash=b"p" * 32,
            manifest_digest=MANIFEST,
            incarnation=self.incarnation,
        )
        self.federation = Federation(frame, replay(self.records), now=self.now)
        self._take(self.federation.start(self.now))

    def _take(self, effects: list[CoordinatorEffect]) -> list[CoordinatorEffect]:
        self.effects = effects
        self.records += [e.record for e in effects if isinstance(e, Persist)]
        return effects

    def restart(self) -> None:
        self.incarnation += 1
        self._boot()

    def put(self, event: CoordinatorEvent, *, after_s: float = 0.0) -> list[CoordinatorEffect]:
        self.now += after_s
        return self._take(self.federation.handle(event, self.now))

    def join(self, *numbers: int, role="participant") -> None:
        for number in numbers:
            self.put(Joined(name(number), role))

    @property
    def attempt(self):
        assert self.federation.attempt is not None
        return self.federation.attempt

    @property
    def which(self) -> dict[str, int]:
        return {
            "incarnation": self.incarnation,
            "round": self.attempt.round,
            "attempt": self.attempt.attempt,
        }

    def accept(self, *numbers: int) -> None:
        for number in numbers:
            self.put(Said(name(number), Accepting(**self.which)))

    def opened(self, number: int, **changes: object) -> UpdateOpened:
        fields = {
            "node": name(number),
            "stream": number,
            **self.which,
            "num_bytes": NUM_BYTES,
            "digest": b"u" * 31 + bytes([number]),
            "manifest_digest": MANIFEST,
            "header": UpdateHeader(num_examples=10, sums={"loss_sum": 1.0, "examples": 10.0}),
        }
        return UpdateOpened(**(fields | changes))

    def arrived(self, number: int, **changes: object) -> UpdateArrived:
        digest = b"u" * 31 + bytes([number])
        fields = {
            "node": name(number),
            "stream": number,
            "round": self.attempt.round,
            "attempt": self.attempt.attempt,
            "digest": digest,
        }
        return UpdateArrived(**(fields | changes))

    def deliver(self, *numbers: int) -> None:
        for number in numbers:
            self.put(self.opened(number))
            self.put(self.arrived(number))

    def aggregated(self) -> list[CoordinatorEffect]:
        number, attempt = self.attempt.round, self.attempt.attempt
        model = ModelRef(round=number, digest=b"M%031d" % number, num_bytes=NUM_BYTES)
        return self.put(Aggregated(number, attempt, model, f"round-{number}"))

    def evaluate(self, *numbers: int, sums: dict[str, float] | None = None) -> None:
        for number in numbers:
            message = Evaluation(
                incarnation=self.incarnation,
                round=self.federation.rounds[-1].round,
                sums=measured() if sums is None else sums,
            )
            self.put(Said(name(number), message))

    def round(self, *numbers: int, sums: dict[str, float] | None = None) -> None:
        """One whole round with these nodes, measured."""
        self.accept(*numbers)
        self.deliver(*numbers)
        self.aggregated()
        self.evaluate(*numbers, sums=sums)

    def sent(self, kind: type) -> list[tuple[bytes, object]]:
        return [
            (e.node, e.message)
            for e in self.effects
            if isinstance(e, Send) and isinstance(e.message, kind)
        ]

    def of(self, kind: type) -> list[CoordinatorEffect]:
        return [e for e in self.effects if isinstance(e, kind)]

    @property
    def aggregate(self) -> Aggregate:
        (effect,) = self.of(Aggregate)
        assert isinstance(effect, Aggregate)
        return effect
