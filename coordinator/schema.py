"""The tables of coordinator.db, as SQLAlchemy Core sees them.

Times are UTC microseconds as integers; ids, keys and digests are 32 bytes. Sums are MessagePack.
Model data is never here: rows name files and digests. `migrations/` makes these tables; a test
compares the two. One coordinator serves one federation; its id is a column all the same, so that
a database can be merged or moved to another dialect without renaming rounds.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

REVISION = "0005"  # the newest file in migrations/versions

metadata = MetaData()


def microseconds(seconds: float) -> int:
    """A time for the database."""
    return round(seconds * 1_000_000)


def seconds(value: int) -> float:
    """A time from the database."""
    return value / 1_000_000


meta = Table(
    "meta",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("coordinator_id", LargeBinary),
)

federations = Table(
    "federations",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("name", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("ended", Text),  # the reason, once it is over
    Column("result_round", BigInteger),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("x_pk", LargeBinary, nullable=False),
    Column("ed_pk", LargeBinary, nullable=False),
    Column("label", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending, enrolled, expelled, left, rotated
    Column("address", Text, nullable=False),
    Column("invite", LargeBinary),
    Column("created", BigInteger, nullable=False),
    Column("approved_by", Text),
    Column("revoked_at", BigInteger),
    Column("last_seen", BigInteger),
)

rotations = Table(
    "rotations",
    metadata,
    Column("old", LargeBinary, ForeignKey("nodes.id"), primary_key=True),
    Column("new", LargeBinary, ForeignKey("nodes.id"), nullable=False, unique=True),
    Column("statement", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)

allowlist = Table(
    "allowlist",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("added_by", Text, nullable=False),
    Column("added", BigInteger, nullable=False),
)

invites = Table(
    "invites",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # 8 bytes
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scope", LargeBinary, nullable=False),  # InviteScope as MessagePack
    Column("expires", BigInteger, nullable=False),
    Column("uses_left", Integer, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
)

rounds = Table(
    "rounds",
    metadata,
    Column("federation", LargeBinary, ForeignKey("federations.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("phase", Text, nullable=False),
    Column("model_digest", LargeBinary, nullable=False),  # the model it starts from
    Column("roster_hash", LargeBinary),
    Column("deadline", BigInteger, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),  # open, finished, failed, abandoned
    Column("cause", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("frozen", LargeBinary),  # of masked attempts, from the survivors on: secagg.Frozen
    Column("num_ready", Integer),  # the size of its roster, which outlives it
)

roster = Table(
    "roster",
    metadata,
    Column("federation", LargeBinary, primary_key=True),
    Column("round", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("node", LargeBinary, primary_key=True),
    Column("mask_pk", LargeBinary),
    Column("sig", LargeBinary),
    ForeignKeyConstraint(
        ["federation", "round", "attempt"], ["rounds.federation", "rounds.n", "rounds.attempt"]
    ),
)

updates = Table(
    "updates",
    metadata,
    Column("federation", LargeBinary, primary_key=True),
    Column("round", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("node", LargeBinary, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("weight", Float),  # NULL where single weights are masked
    Column("sums", LargeBinary, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("seconds", Float),  # how long the node needed; NULL in rows of older versions
    ForeignKeyConstraint(
        ["federation", "round", "attempt", "node"],
        ["roster.federation", "roster.round", "roster.attempt", "roster.node"],
    ),
)

survivors = Table(
    "survivors",
    metadata,
    Column("federation", LargeBinary, primary_key=True),
    Column("round", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("node", LargeBinary, primary_key=True),
    ForeignKeyConstraint(
        ["federation", "round", "attempt", "node"],
        ["updates.federation", "updates.round", "updates.attempt", "updates.node"],
    ),
)

shares = Table(  # sealed, relayed between nodes; used by secure aggregation
    "shares",
    metadata,
    Column("federation", LargeBinary, primary_key=True),
    Column("round", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", LargeBinary, primary_key=True),
    Column("recipient", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("federation", LargeBinary, ForeignKey("federations.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, nullable=False),
    Column("path", Text, nullable=False),  # a name inside the checkpoints folder
    Column("digest", LargeBinary, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sums", LargeBinary, nullable=False),  # of the training that made it
    Column("seconds", Float, nullable=False),  # that the round took
    Column("committed", BigInteger, nullable=False),
    Column("spread", LargeBinary),  # of its weights, as MessagePack; NULL where they are masked
    Column("rolled_back", Text),  # why its model did not pass the gate
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("federation", LargeBinary, ForeignKey("federations.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("model_digest", LargeBinary, nullable=False),
    Column("score", Float, nullable=False),
    Column("num_nodes", Integer, nullable=False),
    Column("sums", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("seq", BigInteger, ForeignKey("audit.seq"), primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
