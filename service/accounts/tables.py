"""What is stored of people, their sessions, one-time links, and of failures to sign in."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from service.database import METADATA

person = Table(
    "person",
    METADATA,
    Column("login", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, unique=True, comment="in lower case; by it whoever was invited is known to a provider"),
    Column("role", Text, nullable=False),
    Column("password", Text, comment="Argon2id; null: none was set"),
    Column("issuer", Text, comment="the provider that has vouched for them"),
    Column("subject", Text, comment="who they are there"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, comment="null: on the command line"),
    Column("disabled_at", DateTime(timezone=True)),
    Column("disabled_by", Text),
    UniqueConstraint("issuer", "subject"),
    CheckConstraint("role IN ('reader', 'contributor', 'editor', 'approver', 'admin')", name="role_known"),
    comment="Who signs in, by the name that stands on what they record.",
)

session = Table(
    "session",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column(
        "id", Text, Computed("substr(encode(hash, 'hex'::text), 1, 12)", persisted=True), nullable=False,
        comment="names the session without giving it away",
    ),
    Column("login", Text, ForeignKey("person.login"), nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True), nullable=False, comment="to the minute"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("address", Text, nullable=False),
    Column("browser", Text, nullable=False, comment="in plain words"),
    UniqueConstraint("id"),
    Index("ix_session_login", "login"),
    comment="Where somebody is signed in; only a hash of each cookie is kept. Ended is gone.",
)  # fmt: skip

link = Table(
    "link",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("login", Text, ForeignKey("person.login"), comment="null: whoever uses it becomes the first admin"),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, comment="null: on the command line"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    comment="Ways in that work once, to set a password; only a hash of each is kept. Used is gone.",
)

attempt = Table(
    "attempt",
    METADATA,
    Column("guessed", LargeBinary, primary_key=True, comment="hash of the login, known or not, or of the address"),
    Column("failures", Integer, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("waits_until", DateTime(timezone=True), nullable=False),
    comment="How often somebody failed to sign in of late, and how long they have to wait.",
)
