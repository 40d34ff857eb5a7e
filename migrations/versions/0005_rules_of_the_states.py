"""By which rules the states were computed, beside them, so that a version with other rules knows it.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

from service.domain.timeline import RULES_VERSION

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = f"""
CREATE TABLE build (
    id integer CONSTRAINT pk_build PRIMARY KEY CONSTRAINT ck_build_one_row CHECK (id = 1),
    rules_version text NOT NULL
);
COMMENT ON TABLE build IS 'One row: by which rules the states beside it were computed.';
GRANT SELECT ON build TO registry_reader, registry_writer;
-- Up to here there was one version of the rules; where nothing is recorded, any is right.
INSERT INTO build SELECT 1, CASE WHEN EXISTS (SELECT FROM event) THEN '1' ELSE '{RULES_VERSION}' END;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE build")
