"""What is computed from the log, and can be dropped and rebuilt from it with the same result.

No foreign keys: each would cost a look-up and a row lock for each row of each append, and `verify` proves more.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, UUID

from service.database import METADATA, OPEN

subject = Table(
    "subject",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("coalition", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("actor", Text, nullable=False, comment="'' where the family has none"),
    UniqueConstraint("coalition", "family", "slug", "actor"),
    Index(None, "actor", "coalition"),
    comment="What statements are about.",
)

statement = Table(
    "statement",
    METADATA,
    Column("position", BigInteger, nullable=False),
    Column("known_from", BigInteger, nullable=False),
    Column("known_to", BigInteger, nullable=False),
    Column("event_id", UUID(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    Column("coalition", Text, nullable=False),
    Column("earliest", DateTime(timezone=True), nullable=False),
    Column("latest", DateTime(timezone=True), nullable=False),
    Column("actors", ARRAY(Text), nullable=False),
    Column("retracted", Boolean, nullable=False),
    Column("content", JSON, comment="null: as recorded"),
    Column("notes", JSON, nullable=False, comment="disputes, duplicates, corrections: what the record says of it"),
    PrimaryKeyConstraint("position", "known_from"),
    CheckConstraint("known_from < known_to", name="known_in_order"),
    Index(None, "coalition", "latest", "position"),
    comment="What a recorded statement is taken to say, as known between two positions.",
)

subject_statement = Table(
    "subject_statement",
    METADATA,
    Column("subject_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("latest", DateTime(timezone=True), nullable=False),
    Column("current", Boolean, nullable=False, comment="false: a correction has moved it to another subject"),
    Column("known_from", BigInteger, nullable=False, comment="position from which it was about this subject"),
    PrimaryKeyConstraint("subject_id", "position"),
    Index(None, "subject_id", "latest", postgresql_where=text("current")),
    comment="Which statements a subject's fold takes in.",
)

segment = Table(
    "segment",
    METADATA,
    Column("subject_id", BigInteger, nullable=False),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    Column("known_from", BigInteger, nullable=False),
    Column("known_to", BigInteger, nullable=False),
    Column("state", JSON),
    Column("causes", JSON, nullable=False),
    Column("possible", JSON, nullable=False),
    Column("rivals", JSON, nullable=False),
    CheckConstraint("known_from < known_to", name="known_in_order"),
    postgresql_partition_by="RANGE (known_to)",
    comment="From a valid time until the next segment, as known between two positions, a subject was in one state.",
)

build = Table(
    "build",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rules_version", Text, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
    comment="One row: by which rules the states beside it were computed.",
)

PARTITIONS = f"""
CREATE TABLE segment_superseded PARTITION OF segment FOR VALUES FROM (MINVALUE) TO ({OPEN});
CREATE TABLE segment_current PARTITION OF segment FOR VALUES FROM ({OPEN}) TO (MAXVALUE);
-- A segment holds until the next begins, so no two current states of a subject overlap; superseded ones were current
-- once, so they cannot either.
CREATE UNIQUE INDEX ix_segment_current_subject_id_valid_from ON segment_current (subject_id, valid_from);
"""
"""What is known now apart from what was superseded: the everyday question reads only the first."""

LATE_INDEXES = """
CREATE INDEX ix_segment_superseded_bounds ON segment_superseded (subject_id, known_to, known_from, valid_from);
"""
"""What the replay of a log does without: made once at its end."""

RIGHTS = """
GRANT SELECT ON subject, statement, subject_statement, segment, segment_current, segment_superseded
    TO registry_reader, registry_writer;
GRANT INSERT, UPDATE ON subject, statement, subject_statement, segment, segment_current, segment_superseded
    TO registry_writer;
GRANT DELETE ON segment, segment_current, segment_superseded TO registry_writer;
GRANT SELECT ON build TO registry_reader, registry_writer;
"""

DERIVED = ("segment", "subject_statement", "statement", "subject", "build")
