"""What a node answers the coordinator, and the sentences about it that its operator reads."""

from dataclasses import dataclass

from fedtui.wire.masked_messages import ToMasker
from fedtui.wire.messages import Accepting, Declining, Evaluate, Evaluation, Offer
from fedtui.wire.texts import short_text


@dataclass(frozen=True, slots=True)
class Answered:
    """How the newest offer was answered, so that its repetition gets the same answer."""

    incarnation: int
    round: int
    attempt: int
    declined: str | None = None


def accepting(offer: Offer) -> Accepting:
    return Accepting(incarnation=offer.incarnation, round=offer.round, attempt=offer.attempt)


def declining(message: Offer | ToMasker, reason: str) -> Declining:
    return Declining(
        incarnation=message.incarnation,
        round=message.round,
        attempt=message.attempt,
        reason=short_text(reason),
    )


def evaluation(message: Evaluate, sums: dict[str, float], reason: str) -> Evaluation:
    return Evaluation(
        incarnation=message.incarnation, round=message.round, sums=sums, reason=short_text(reason)
    )


def declined(offer: Offer, reason: str) -> str:
    return f"declined round {offer.round} attempt {offer.attempt}: {reason}"


def failed(work: Offer | Evaluate, reason: str) -> str:
    return f"round {work.round}: {reason}"
