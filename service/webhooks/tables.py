"""What is stored of webhooks: subscriptions, their secrets, and what came of each attempt to deliver."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from service.database import METADATA

webhook = Table(
    "webhook",
    METADATA,
    Column("webhook_id", UUID(as_uuid=False), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("coalition", Text),
    Column("kind", Text),
    Column("country", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("position", BigInteger, nullable=False, comment="everything up to it was accepted, or was not wanted"),
    Column("attempts", Integer, nullable=False, comment="how often the next event has failed"),
    Column("next_at", DateTime(timezone=True), nullable=False, comment="no attempt before it"),
    Column("revision", Integer, nullable=False, comment="counts changes, so that whoever is sending notices one"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("leased_by", UUID(as_uuid=False), comment="the process that sends to it now"),
    Column("leased_until", DateTime(timezone=True)),
    CheckConstraint("state IN ('active', 'paused', 'switched_off')", name="state_known"),
    CheckConstraint("reason IN ('gone', 'failing')", name="reason_known"),
    CheckConstraint("(state = 'switched_off') = (reason IS NOT NULL)", name="reason_given"),
    CheckConstraint("position >= 0", name="position_in_the_log"),
    Index(
        "uq_webhook_owner_url_filters",
        "owner", "url", "coalition", "kind", "country",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    comment="Who is sent which events, and how far that has come.",
)  # fmt: skip

webhook_secret = Table(
    "webhook_secret",
    METADATA,
    Column("webhook_id", UUID(as_uuid=False), ForeignKey("webhook.webhook_id", ondelete="CASCADE"), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), comment="null: the present one"),
    PrimaryKeyConstraint("webhook_id", "secret"),
    Index("uq_webhook_secret_present", "webhook_id", unique=True, postgresql_where=text("expires_at IS NULL")),
    comment="With what deliveries are signed: in the clear, as it has to be; for the writer alone.",
)

webhook_delivery = Table(
    "webhook_delivery",
    METADATA,
    Column("webhook_id", UUID(as_uuid=False), ForeignKey("webhook.webhook_id", ondelete="CASCADE"), nullable=False),
    Column("delivery_id", UUID(as_uuid=False), nullable=False),
    Column("cause", Text, nullable=False),
    Column("position", BigInteger, comment="of the event; null: a ping"),
    Column("attempt", Integer, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("status", SmallInteger, comment="what the receiver answered; null: nothing"),
    Column("failure", Text, comment="null: accepted"),
    PrimaryKeyConstraint("webhook_id", "delivery_id"),
    CheckConstraint("cause IN ('log', 'resend', 'ping')", name="cause_known"),
    comment="The latest attempts to deliver, and what came of each.",
)
