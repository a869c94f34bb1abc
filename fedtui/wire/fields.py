"""What messages are made of: their base, and bounded ids, digests, counts, texts and sums.

Every number from the network is bounded by one of these, before anything looks at it.
"""

from typing import Annotated

import msgspec

Id = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Digest = Id
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
SessionId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
RoundNumber = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
Position = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Positions = Annotated[tuple[Position, ...], msgspec.Meta(max_length=2**16)]
Version = Annotated[int, msgspec.Meta(ge=0, le=65535)]
StreamId = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e7)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Label = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=200)]
SumName = Annotated[str, msgspec.Meta(max_length=32)]
Sums = Annotated[dict[SumName, Finite], msgspec.Meta(max_length=16)]
MetricSums = Annotated[dict[SumName, Finite], msgspec.Meta(max_length=256)]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """A control message; the tag on the wire is the name of the class."""
