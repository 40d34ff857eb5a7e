"""A segment holds until the next begins: its end is not stored, so that what comes in order closes nothing.

Rows that differed in nothing but their end become one.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JOIN_ROWS = """
CREATE TEMPORARY TABLE joined ON COMMIT DROP AS
SELECT subject_id, valid_from, min(known_from) AS known_from, max(known_to) AS known_to, state, causes, possible, rivals
FROM (
    SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY subject_id, valid_from ORDER BY known_from) AS run
    FROM (
        SELECT subject_id, valid_from, known_from, known_to, state::text, causes::text, possible::text, rivals::text,
               (lag(known_to) OVER earlier, lag(state::text) OVER earlier, lag(causes::text) OVER earlier,
                lag(possible::text) OVER earlier, lag(rivals::text) OVER earlier)
               IS DISTINCT FROM (known_from, state::text, causes::text, possible::text, rivals::text) AS begins
        FROM segment
        WINDOW earlier AS (PARTITION BY subject_id, valid_from ORDER BY known_from)
    ) AS beside
) AS runs
GROUP BY subject_id, valid_from, run, state, causes, possible, rivals
"""
SEGMENTS = """
DROP TABLE segment;
CREATE TABLE segment (
    subject_id bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    state json,
    causes json NOT NULL,
    possible json NOT NULL,
    rivals json NOT NULL,
    CONSTRAINT ck_segment_known_in_order CHECK (known_from < known_to)
) PARTITION BY RANGE (known_to);
CREATE TABLE segment_superseded PARTITION OF segment FOR VALUES FROM (MINVALUE) TO (9223372036854775807);
CREATE TABLE segment_current PARTITION OF segment FOR VALUES FROM (9223372036854775807) TO (MAXVALUE);
INSERT INTO segment (subject_id, valid_from, known_from, known_to, state, causes, possible, rivals)
SELECT subject_id, valid_from, known_from, known_to, state::json, causes::json, possible::json, rivals::json
FROM joined;
-- A segment holds until the next begins, so no two current states of a subject overlap; superseded ones were current
-- once, so they cannot either.
CREATE UNIQUE INDEX ix_segment_current_subject_id_valid_from ON segment_current (subject_id, valid_from);
CREATE INDEX ix_segment_superseded_bounds ON segment_superseded (subject_id, known_to, known_from, valid_from);
COMMENT ON TABLE segment IS
    'From a valid time until the next segment, as known between two positions, a subject was in one state.';
"""

BEFORE = """
CREATE TEMPORARY TABLE current ON COMMIT DROP AS
SELECT *, lead(valid_from, 1, '9999-12-31T23:59:59.999999Z') OVER (PARTITION BY subject_id ORDER BY valid_from) AS ends
FROM segment_current;
DROP TABLE segment;
CREATE TABLE segment (
    subject_id bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    state json,
    causes json NOT NULL,
    possible json NOT NULL,
    rivals json NOT NULL,
    CONSTRAINT ck_segment_valid_in_order CHECK (valid_from < valid_to),
    CONSTRAINT ck_segment_known_in_order CHECK (known_from < known_to)
) PARTITION BY RANGE (known_to);
CREATE TABLE segment_superseded PARTITION OF segment FOR VALUES FROM (MINVALUE) TO (9223372036854775807);
CREATE TABLE segment_current PARTITION OF segment FOR VALUES FROM (9223372036854775807) TO (MAXVALUE);
INSERT INTO segment (subject_id, valid_from, valid_to, known_from, known_to, state, causes, possible, rivals)
SELECT subject_id, valid_from, ends, known_from, known_to, state, causes, possible, rivals FROM current;
CREATE INDEX ix_segment_current_subject_id_valid_from ON segment_current (subject_id, valid_from);
CREATE INDEX ix_segment_superseded_bounds
    ON segment_superseded (subject_id, known_to, known_from, valid_from, valid_to);
ALTER TABLE segment_current ADD CONSTRAINT ex_segment_current_overlap
    EXCLUDE USING gist (subject_id WITH =, tstzrange(valid_from, valid_to) WITH &&);
COMMENT ON TABLE segment IS
    'Between two valid times, as known between two positions, a subject was in one state.';
"""

RIGHTS = """
GRANT SELECT ON segment, segment_current, segment_superseded TO registry_reader, registry_writer;
GRANT INSERT, UPDATE, DELETE ON segment, segment_current, segment_superseded TO registry_writer;
"""


def upgrade() -> None:
    op.execute(JOIN_ROWS)
    op.execute(SEGMENTS)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Each state gets the end that it has now; which ends were known before, only a rebuild finds out."""
    op.execute(BEFORE)
    op.execute(RIGHTS)
