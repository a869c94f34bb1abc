"""A node's machine of visible rounds on a desk, and what a coordinator would say to it."""

from fedtui.rounds.machine import Heard, Say, Trained
from fedtui.rounds.participant import RoundParticipant
from fedtui.wire.codec import decode, encode
from fedtui.wire.messages import Control, Evaluate, ModelRef, Offer, Result, UpdateHeader


def model(number: int) -> ModelRef:
    return ModelRef(round=number, digest=b"M%031d" % number, num_bytes=16)


def offer(number: int = 1, attempt: int = 1, incarnation: int = 1) -> Offer:
    return Offer(
        incarnation=incarnation,
        round=number,
        attempt=attempt,
        plan_hash=bytes(32),
        manifest_digest=bytes(32),
        model=model(number - 1),
        cohort_size=3,
        accept_s=5.0,
        deadline_s=20.0,
    )


def evaluate(number: int = 1, incarnation: int = 1) -> Evaluate:
    return Evaluate(
        incarnation=incarnation,
        round=number,
        plan_hash=bytes(32),
        manifest_digest=bytes(32),
        model=model(number),
        deadline_s=10.0,
    )


def result(number: int = 1, attempt: int = 1, incarnation: int = 1) -> Result:
    return Result(
        incarnation=incarnation,
        round=number,
        attempt=attempt,
        model=model(number),
        num_updates=2,
        counted=True,
        sums={},
    )


def trained(number: int = 1, attempt: int = 1, loss: float = 1.0) -> Trained:
    header = UpdateHeader(num_examples=10, sums={"loss_sum": loss, "examples": 10.0})
    return Trained(number, attempt, digest=b"u" * 32, num_bytes=16, header=header)


class Node:
    """A machine on a desk; `put` returns the effects, messages as themselves."""

    def __init__(self, **options: object) -> None:
        defaults = {"role": "participant", "refuses": lambda _work: None}
        self.machine = RoundParticipant(**(defaults | options))
        self.now = 0.0

    def put(self, event, *, after_s: float = 0.0) -> list:
        self.now += after_s
        effects = self.machine.handle(event, self.now)
        for effect in effects:
            if isinstance(effect, Say):
                decode(encode(effect.message), Control)
        return [e.message if isinstance(e, Say) else e for e in effects]

    def hear(self, message, *, after_s: float = 0.0) -> list:
        return self.put(Heard(message), after_s=after_s)

    def kinds(self, event) -> list[type]:
        return [type(e) for e in (self.put(event))]
