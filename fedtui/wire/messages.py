"""Every message of protocol 1, and the grammar of the conversation.

One session over one websocket, I the node (initiator), R the coordinator (responder)::

    session  = M1 I>R                          Noise XX, channel.py
               M2 R>I ServerHello              ranges of versions, federation, incarnation
               M3 I>R ClientHello              who the node is, its role, an invite if it has one
               Welcome R>I                     enrolled or pending; H(plan)
               [ Fetch(plan) I>R, bulk R>I ]   the node reads what it is asked to consent to
               SessionReady I>R                consent to H(plan); no work before this
               Enrolled R>I                    with the certificate; at once, or on approval
               ( round | evaluation | notice | echo )*

    round    = Offer R>I
               ( Declining I>R | Accepting I>R, [ Fetch(model) I>R, bulk R>I ], Progress* I>R,
                 ( bulk update I>R, Receipt R>I | masked ) | Declining I>R )
               ( Result R>I | Abort R>I )
    masked   = Ready I>R, Roster R>I, Shares I>R, Mailbox R>I,
               ( bulk masked I>R, Receipt R>I | MaskedSums I>R ),
               Survivors R>I, Vote I>R, Votes R>I, Reveal I>R         secagg/
    evaluation = Evaluate R>I, [ Fetch(model), bulk ], ( Evaluation I>R | masked ) ; Scored R>I
    notice   = Waiting R>I | Ended R>I | Away I>R | Leaving I>R | RotateKey I>R, Rotated R>I
    bulk     = Open, ( Refuse | Accept, DATA*, CREDIT*, ( Receipt | [ Refuse ], Cancel ) )
    echo     = Echo, EchoReply                 round-trip time, either direction

Every message of a round names (incarnation, round, attempt): what is of another is dropped. Offer,
Open and Fetch again get the same answer again. Ids and digests are 32 bytes. docs/protocol.md.
"""

from typing import Annotated, Literal

import msgspec

from fedtui.learning.params import Manifest
from fedtui.wire.declared import Declared
from fedtui.wire.invite import InviteProof
from fedtui.wire.rotation import Succession

PROTOCOL_MIN = PROTOCOL_MAX = 1
PATH, SUBPROTOCOL = "/fedtui/v1", "fedtui.v1"
MAX_PLAN_BYTES = 256 * 1024
MAX_SUCCESSIONS = 2

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
Role = Literal["participant", "evaluator", "observer"]
BulkKind = Literal["plan", "model", "change", "update", "masked"]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """A control message; the tag on the wire is the name of the class."""


class ServerHello(Message, frozen=True, kw_only=True):
    """`successions`: how this identity came from older ones; the newest steps, oldest first."""

    version_min: Version
    version_max: Version
    features: Annotated[tuple[Label, ...], msgspec.Meta(max_length=32)] = ()
    ed25519: Id
    federation: Label
    incarnation: Count
    successions: Annotated[tuple[Succession, ...], msgspec.Meta(max_length=MAX_SUCCESSIONS)] = ()


class ClientHello(Message, frozen=True, kw_only=True):
    version_min: Version
    version_max: Version
    features: Annotated[tuple[Label, ...], msgspec.Meta(max_length=32)] = ()
    ed25519: Id
    label: Label
    role: Role
    software: Label = ""
    invite: InviteProof | None = None


class Welcome(Message, frozen=True, kw_only=True):
    """First record of a session. `state` is the node's; `version` the one both will speak."""

    session_id: SessionId
    state: Literal["enrolled", "pending"]
    version: Version
    federation_id: Id
    plan_hash: Digest
    plan_bytes: Count
    window: Annotated[int, msgspec.Meta(ge=65536, le=2**26)]


class SessionReady(Message, frozen=True, kw_only=True):
    """The node consents to the plan with this hash and can take work.

    `declared` is what the plan asks nodes to declare, as far as the operator does.
    """

    session_id: SessionId
    plan_hash: Digest
    declared: Declared = {}


class Enrolled(Message, frozen=True, kw_only=True):
    """The coordinator vouches for the node: see `certificate` in wire/enrolment.py."""

    role: Role
    not_before: Count
    signature: Signature


class ModelRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The global model after `round` (0: the initial one), by the digest of its bytes."""

    round: RoundNumber
    digest: Digest
    num_bytes: Count


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `Fetch(plan)` brings: the plan as its canonical bytes, and the model's manifest."""

    plan: bytes
    manifest: Manifest


class Fetch(Message, frozen=True, kw_only=True):
    """Send me this; answered by a bulk stream that resumes at what the node holds already.

    Of a model it may be the change (changes.py) from the older one that the node can `have`.
    """

    kind: Literal["plan", "model"]
    digest: Digest
    have: Digest | None = None


class Offer(Message, frozen=True, kw_only=True):
    """Train in this round; `deadline_s` is what is left until the update must have arrived."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    plan_hash: Digest
    manifest_digest: Digest
    model: ModelRef
    cohort_size: Count
    accept_s: Seconds
    deadline_s: Seconds


class Accepting(Message, frozen=True, kw_only=True):
    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber


class Declining(Message, frozen=True, kw_only=True):
    """The node does not take part (any more) in this attempt, and why."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    reason: Text


class Progress(Message, frozen=True, kw_only=True):
    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    stage: Literal["download", "train", "upload"]
    fraction: Fraction


class Abort(Message, frozen=True, kw_only=True):
    """Stop working on this attempt; nothing of it is wanted any more."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    reason: Text


# ---- a masked round, fedtui/secagg: nodes are named by their position in the roster -----------


class Ready(Message, frozen=True, kw_only=True):
    """The node's work is done, and these are its keys for this attempt (secagg/participant.py)."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    mask_key: Id
    share_key: Id
    commitment: Digest
    aes: bool = False  # its processor has AES instructions
    signature: Signature


class RosterEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node of the roster: who it is, why it belongs here, and the keys it said Ready with."""

    x25519: Id
    ed25519: Id
    not_before: Count
    certificate: Signature
    mask_key: Id
    share_key: Id
    commitment: Digest
    aes: bool = False
    signature: Signature


class Roster(Message, frozen=True, kw_only=True):
    """Whose updates may be in the sum, by rising id, and the numbers of graph.py, groups.py."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    entries: Annotated[tuple[RosterEntry, ...], msgspec.Meta(max_length=2**16)]
    colluders: Position
    minimum: Position
    degree: Position
    group: Position = 0
    signature: Signature


class SealedShares(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both shares for, or from, the node at `position`; only the two of them can open it."""

    position: Position
    sealed: Annotated[bytes, msgspec.Meta(min_length=104, max_length=104)]


SealedForAll = Annotated[tuple[SealedShares, ...], msgspec.Meta(max_length=2**16)]


class Shares(Message, frozen=True, kw_only=True):
    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    sealed: SealedForAll


class Mailbox(Message, frozen=True, kw_only=True):
    """Whose shares arrived (U1, the same list for all), and the shares for this node."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    included: Positions
    sealed: SealedForAll
    signature: Signature


class Survivors(Message, frozen=True, kw_only=True):
    """Whose vectors are in the sum (U2), for ever."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    nodes: Positions
    signature: Signature


class Vote(Message, frozen=True, kw_only=True):
    """The node goes along with exactly this survivor set, and never with another one."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    survivors: Digest
    signature: Signature


class CountedVote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    position: Position
    signature: Signature


class Votes(Message, frozen=True, kw_only=True):
    """The certificate: enough survivors voted for the set that the node voted for."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    votes: Annotated[tuple[CountedVote, ...], msgspec.Meta(max_length=2**16)]


class MaskedSums(Message, frozen=True, kw_only=True):
    """The masked vector of an evaluation: words, little-endian."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    words: Annotated[bytes, msgspec.Meta(max_length=8192)]


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of a secret of the node at `position`."""

    position: Position
    share: Id

    def __repr__(self) -> str:
        return f"Share(of {self.position})"


class Reveal(Message, frozen=True, kw_only=True):
    """Shares of the self masks of survivors, and of the mask keys of who was lost; never both."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    selves: Annotated[tuple[Share, ...], msgspec.Meta(max_length=2**16)]
    masks: Annotated[tuple[Share, ...], msgspec.Meta(max_length=2**16)]


class AuditHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed head of the coordinator's audit chain; nodes keep it (docs/operating.md)."""

    sequence: Count
    hash: Digest
    signature: Signature


class Result(Message, frozen=True, kw_only=True):
    """Round committed. `sums` are the cohort's training sums, `counted` whether yours is in it."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    model: ModelRef
    num_updates: Count
    counted: bool
    sums: Sums
    audit_head: AuditHead | None = None


class Evaluate(Message, frozen=True, kw_only=True):
    """Measure this model; under masks (`attempt` above 0) the sums travel as in a masked round."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber = 0
    cohort_size: Count = 0
    plan_hash: Digest
    manifest_digest: Digest
    model: ModelRef
    deadline_s: Seconds


class Evaluation(Message, frozen=True, kw_only=True):
    """Sums over the node's held-out or test examples; empty with a reason if it could not."""

    incarnation: Count
    round: RoundNumber
    sums: MetricSums
    reason: Text = ""


class Scored(Message, frozen=True, kw_only=True):
    """The combined score of the model after `round`, and over how many examples and nodes."""

    incarnation: Count
    round: RoundNumber
    metric: Label
    score: Finite
    num_examples: Count
    num_nodes: Count


class Waiting(Message, frozen=True, kw_only=True):
    """No round runs: `present` nodes are here, `needed` must be, or the operator paused."""

    incarnation: Count
    present: Count
    needed: Count
    paused: bool = False


class Ended(Message, frozen=True, kw_only=True):
    """The federation is over. `model` is its result."""

    incarnation: Count
    reason: Text
    model: ModelRef
    score: Finite | None = None


class Away(Message, frozen=True, kw_only=True):
    """The operator paused (or resumed) the node: do not select it."""

    away: bool


class Leaving(Message, frozen=True, kw_only=True):
    """The node leaves the federation for good; its enrolment ends."""

    reason: Text = ""


class RotateKey(Message, frozen=True, kw_only=True):
    """Encoded rotation statement (fedtui/wire/rotation.py), signed by the old and new keys."""

    statement: Annotated[bytes, msgspec.Meta(max_length=1024)]


class Rotated(Message, frozen=True, kw_only=True):
    new_id: Id


class UpdateHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What travels beside an update in the clear: examples it was trained on, training sums."""

    num_examples: Annotated[int, msgspec.Meta(ge=1, le=2**40)]
    sums: Sums


class Open(Message, frozen=True, kw_only=True):
    """Start (or go on with) a bulk stream of exactly `num_bytes` with this digest."""

    stream: StreamId
    kind: BulkKind
    num_bytes: Count
    digest: Digest
    incarnation: Count = 0
    round: RoundNumber = 0
    attempt: RoundNumber = 0
    manifest_digest: bytes = b""
    update: UpdateHeader | None = None


class Accept(Message, frozen=True, kw_only=True):
    """Go on from `offset`; at most `window` bytes may be under way."""

    stream: StreamId
    offset: Count
    window: Annotated[int, msgspec.Meta(ge=65536, le=2**26)]


class Refuse(Message, frozen=True, kw_only=True):
    """The stream is not wanted; `code` is an error code of errors.py."""

    stream: StreamId
    code: Version
    text: Text


class Cancel(Message, frozen=True, kw_only=True):
    """The sender gives the stream up, or obeys a Refuse in mid-flow: no more of it comes."""

    stream: StreamId


class Receipt(Message, frozen=True, kw_only=True):
    """All bytes arrived, their digest is right and they are on disk."""

    stream: StreamId
    digest: Digest


class Echo(Message, frozen=True, kw_only=True):
    nonce: Count


class EchoReply(Message, frozen=True, kw_only=True):
    nonce: Count


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of an ERROR record. Authoritative, unlike the websocket's close code."""

    code: Version
    text: Text
    retryable: bool = False
    retry_after_s: Seconds = 0.0


BulkMessage = Open | Accept | Refuse | Receipt | Cancel
SessionMessage = Welcome | SessionReady | Enrolled | Echo | EchoReply
FromMasker = Ready | Shares | MaskedSums | Vote | Reveal
ToMasker = Roster | Mailbox | Survivors | Votes
FromNode = (
    Fetch | Accepting | Declining | Progress | Evaluation | Away | Leaving | RotateKey | FromMasker
)
FromCoordinator = Offer | Abort | Result | Evaluate | Scored | Waiting | Ended | Rotated | ToMasker
Control = BulkMessage | SessionMessage | FromNode | FromCoordinator
