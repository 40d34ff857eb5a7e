"""Drafts can be returned to their authors, who put up another one in their place; approvals are found by their events.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

RETURNED = """
ALTER TABLE draft
    ADD COLUMN returned_by text,
    ADD COLUMN returned_at timestamptz,
    ADD COLUMN return_reason text,
    ADD COLUMN replaces uuid CONSTRAINT fk_draft_replaces REFERENCES draft (id)
        CONSTRAINT uq_draft_replaces UNIQUE,
    DROP CONSTRAINT ck_draft_state_known,
    ADD CONSTRAINT ck_draft_state_known
        CHECK (state IN ('pending', 'returned', 'approved', 'rejected', 'withdrawn')),
    DROP CONSTRAINT ck_draft_decided,
    ADD CONSTRAINT ck_draft_decided CHECK ((state IN ('pending', 'returned')) = (decided_by IS NULL)),
    ADD CONSTRAINT ck_draft_returned CHECK (state <> 'returned' OR returned_by IS NOT NULL);
COMMENT ON COLUMN draft.return_reason IS 'what its author was asked to change';
COMMENT ON COLUMN draft.replaces IS 'the returned draft that its author changed into this one';
GRANT UPDATE (returned_by, returned_at, return_reason) ON draft TO registry_writer;
"""
APPROVALS = "CREATE INDEX ix_idempotency_approval ON idempotency (position) WHERE client = 'draft'"

# Whoever was asked to change a draft has not: it waits again.
BACK = """
DROP INDEX ix_idempotency_approval;
UPDATE draft SET state = 'pending' WHERE state = 'returned';
ALTER TABLE draft
    DROP COLUMN returned_by,
    DROP COLUMN returned_at,
    DROP COLUMN return_reason,
    DROP COLUMN replaces,
    DROP CONSTRAINT ck_draft_state_known,
    ADD CONSTRAINT ck_draft_state_known CHECK (state IN ('pending', 'approved', 'rejected', 'withdrawn')),
    DROP CONSTRAINT ck_draft_decided,
    ADD CONSTRAINT ck_draft_decided CHECK ((state = 'pending') = (decided_by IS NULL));
"""


def upgrade() -> None:
    op.execute(RETURNED)
    op.execute(APPROVALS)


def downgrade() -> None:
    op.execute(BACK)
