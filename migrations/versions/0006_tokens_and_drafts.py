"""Tokens have a name and can be revoked; what waits for a second editor.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TOKENS = """
ALTER TABLE token
    ADD COLUMN id text NOT NULL GENERATED ALWAYS AS (substr(encode(hash, 'hex'), 1, 12)) STORED
        CONSTRAINT uq_token_id UNIQUE,
    ADD COLUMN created_by text,
    ADD COLUMN last_used_at timestamptz,
    ADD COLUMN revoked_at timestamptz,
    ADD COLUMN revoked_by text,
    ADD COLUMN key text,
    ADD CONSTRAINT uq_token_created_by_key UNIQUE (created_by, key);
COMMENT ON COLUMN token.id IS 'names the token without giving it away';
COMMENT ON COLUMN token.created_by IS 'null: on the command line';
COMMENT ON COLUMN token.last_used_at IS 'to the minute';
COMMENT ON COLUMN token.key IS 'the Idempotency-Key of the request that made it';
"""

DRAFTS = """
CREATE TABLE draft (
    id uuid CONSTRAINT pk_draft PRIMARY KEY,
    author text NOT NULL,
    created_at timestamptz NOT NULL,
    events json NOT NULL,
    listed boolean NOT NULL,
    revision bigint,
    coalitions text[] NOT NULL,
    known_position bigint NOT NULL,
    note text,
    state text NOT NULL
        CONSTRAINT ck_draft_state_known CHECK (state IN ('pending', 'approved', 'rejected', 'withdrawn')),
    decided_by text,
    decided_at timestamptz,
    reason text,
    key text,
    digest bytea,
    CONSTRAINT uq_draft_author_key UNIQUE (author, key),
    CONSTRAINT ck_draft_decided CHECK ((state = 'pending') = (decided_by IS NULL))
);
CREATE INDEX ix_draft_state_id ON draft (state, id);
COMMENT ON TABLE draft IS 'What waits for a second editor, and what became of it.';
COMMENT ON COLUMN draft.events IS 'what it would record, in order';
COMMENT ON COLUMN draft.listed IS 'sent as a list';
COMMENT ON COLUMN draft.revision IS 'of the target, as the author saw it';
COMMENT ON COLUMN draft.known_position IS 'how long the log was when it was put up';
COMMENT ON COLUMN draft.key IS 'the Idempotency-Key of the request that put it up';
"""

RIGHTS = """
GRANT UPDATE (last_used_at, revoked_at, revoked_by) ON token TO registry_writer;
GRANT SELECT ON draft TO registry_reader;
GRANT SELECT, INSERT ON draft TO registry_writer;
GRANT UPDATE (state, decided_by, decided_at, reason) ON draft TO registry_writer;
"""


def upgrade() -> None:
    op.execute(TOKENS)
    op.execute(DRAFTS)
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute("DROP TABLE draft")
    op.execute("REVOKE UPDATE (last_used_at, revoked_at, revoked_by) ON token FROM registry_writer")
    op.execute("DELETE FROM token WHERE revoked_at IS NOT NULL")
    op.execute(
        "ALTER TABLE token DROP COLUMN id, DROP COLUMN created_by, DROP COLUMN last_used_at, DROP COLUMN revoked_at, "
        "DROP COLUMN revoked_by, DROP COLUMN key"
    )
