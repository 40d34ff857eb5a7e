"""What the log stores. Nothing here is ever updated or deleted, save the one head row."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, UUID

from service.database import METADATA

log_head = Table(
    "log_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("id = 1", name="one_row"),
    postgresql_with={"fillfactor": "10"},
    comment="One hot row: how long the log is, and the frontier of its Merkle tree.",
)

event = Table(
    "event",
    METADATA,
    Column("position", BigInteger, autoincrement=False),
    Column("event_id", UUID(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    Column("version", SmallInteger, nullable=False),
    Column("coalition", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("about", ARRAY(BigInteger), comment="positions of the statements that a record-level event is about"),
    Column("body", JSON, nullable=False, comment="canonical JSON, byte for byte"),
    Column("salt", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False, comment="root of the tree that ends with this event"),
    PrimaryKeyConstraint("position"),
    UniqueConstraint("event_id"),
    CheckConstraint("position > 0", name="position_counts_from_one"),
    Index("ix_event_about", "about", postgresql_using="gin", postgresql_where=text("about IS NOT NULL")),
    comment="The log: append-only, gap-free, in commit order.",
)

merkle_node = Table(
    "merkle_node",
    METADATA,
    Column("level", SmallInteger, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "index"),
    comment="Roots of complete subtrees, every eighth level.",
)

idempotency = Table(
    "idempotency",
    METADATA,
    Column("client", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("position", BigInteger, nullable=False, comment="of the first event that the request recorded; 0: of none"),
    Column("answer", LargeBinary, nullable=False),
    PrimaryKeyConstraint("client", "key"),
    Index("ix_idempotency_approval", "position", postgresql_where=text("client = 'draft'")),
    comment="What was answered to a request, so that a retry has no second effect.",
)
