"""The keys of all writes stand in one table, also those of tokens and drafts.

What is answered about tokens and webhooks is nothing for readers of the database, so the table is not either. Of a
token that was made under a key before, the secret cannot be answered again: its key counts as another request's.

Revision ID: 0008
Revises: 0006
"""

from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

KEYS = """
COMMENT ON COLUMN idempotency.position IS 'of the first event that the request recorded; 0: of none';
REVOKE SELECT ON idempotency FROM registry_reader;
"""
TOKENS = """
INSERT INTO idempotency (client, key, digest, position, answer)
SELECT 'token/' || created_by, key, '', 0, 'null' FROM token WHERE created_by IS NOT NULL AND key IS NOT NULL
ON CONFLICT DO NOTHING;
ALTER TABLE token DROP COLUMN key;
"""
DRAFTS = """
INSERT INTO idempotency (client, key, digest, position, answer)
SELECT 'token/' || author, key, digest, 0, convert_to(json_build_object('draft', id)::text, 'UTF8')
FROM draft WHERE key IS NOT NULL
ON CONFLICT DO NOTHING;
ALTER TABLE draft DROP COLUMN key, DROP COLUMN digest;
"""
BACK = """
GRANT SELECT ON idempotency TO registry_reader;
COMMENT ON COLUMN idempotency.position IS 'of the first event that the request recorded';
ALTER TABLE token ADD COLUMN key text, ADD CONSTRAINT uq_token_created_by_key UNIQUE (created_by, key);
COMMENT ON COLUMN token.key IS 'the Idempotency-Key of the request that made it';
ALTER TABLE draft ADD COLUMN key text, ADD COLUMN digest bytea,
    ADD CONSTRAINT uq_draft_author_key UNIQUE (author, key);
COMMENT ON COLUMN draft.key IS 'the Idempotency-Key of the request that put it up';
"""


def upgrade() -> None:
    op.execute(KEYS)
    op.execute(TOKENS)
    op.execute(DRAFTS)


def downgrade() -> None:
    op.execute(BACK)
