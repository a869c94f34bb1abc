"""What a node's machine and its driver say to each other when an update is masked."""

from dataclasses import dataclass
from typing import Literal

from fedtui.privacy.noise import Noise
from fedtui.rounds.claims import Claim
from fedtui.secagg.context import Attempt
from fedtui.secagg.encoding import Encoding
from fedtui.secagg.participant import Masks


@dataclass(frozen=True, slots=True)
class Prepared:
    """The update is encoded and masked: a file of `num_bytes` with this digest.

    `num_saturated` values were out of the plan's range and are cut to it.
    """

    round: int
    attempt: int
    digest: bytes
    num_bytes: int
    num_saturated: int = 0


@dataclass(frozen=True, slots=True)
class Prepare:
    """Encode the update at hand, mask it, and write the vector to disk; answer with Prepared.

    `scalars` are what travels in the vector beside the values, by name; `weight` is the share of a
    full weight, in (0, 1]; `rounding_seed` follows from the update's digest. `noise` hides it.
    """

    round: int
    attempt: int
    encoding: Encoding
    masks: Masks
    scalars: dict[str, float]
    weight: float
    rounding_seed: bytes
    noise: Noise | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """Write down, synced, before anything else of this call: what the node went along with.

    `sets` are ctx3 and H(U2) (secagg/context.py). For people: the claim, and who is not in it.
    """

    step: Literal["vote", "reveal"]
    attempt: Attempt
    sets: tuple[bytes, bytes]
    num_survivors: int
    claim: Claim | None = None
    lost: tuple[bytes, ...] = ()
