"""The log, its Merkle tree, and the segments; owner, writer and reader roles; nobody may change what was appended.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of nothing (RFC 9162)

LOG = """
CREATE TABLE log_head (
    id integer CONSTRAINT pk_log_head PRIMARY KEY CONSTRAINT ck_log_head_one_row CHECK (id = 1),
    size bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    frontier bytea NOT NULL,
    root bytea NOT NULL,
    created_at timestamptz NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE log_head IS 'One hot row: how long the log is, and the frontier of its Merkle tree.';
INSERT INTO log_head VALUES (1, 0, clock_timestamp(), '', '\\x{empty_root}', clock_timestamp());

CREATE TABLE event (
    position bigint CONSTRAINT pk_event PRIMARY KEY
        CONSTRAINT ck_event_position_counts_from_one CHECK (position > 0),
    event_id uuid NOT NULL CONSTRAINT uq_event_event_id UNIQUE,
    kind text NOT NULL,
    version smallint NOT NULL,
    coalition text NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    about bigint[],
    body json NOT NULL,
    salt bytea NOT NULL,
    commitment bytea NOT NULL,
    leaf_hash bytea NOT NULL,
    root bytea NOT NULL
);
CREATE INDEX ix_event_about ON event USING gin (about) WHERE about IS NOT NULL;
COMMENT ON TABLE event IS 'The log: append-only, gap-free, in commit order.';
COMMENT ON COLUMN event.about IS 'positions of the statements that a record-level event is about';
COMMENT ON COLUMN event.body IS 'canonical JSON, byte for byte';
COMMENT ON COLUMN event.root IS 'root of the tree that ends with this event';

CREATE TABLE merkle_node (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_merkle_node PRIMARY KEY (level, index)
);
COMMENT ON TABLE merkle_node IS 'Roots of complete subtrees, every eighth level.';

CREATE TABLE idempotency (
    client text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    position bigint NOT NULL,
    answer bytea NOT NULL,
    CONSTRAINT pk_idempotency PRIMARY KEY (client, key)
);
COMMENT ON TABLE idempotency IS 'What was answered to a request, so that a retry has no second effect.';
COMMENT ON COLUMN idempotency.position IS 'of the first event that the request recorded';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % is append-only: record a correction instead', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""

GUARD = """
CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_is_never_emptied BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_is_append_only;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_is_never_emptied;
"""

SEGMENTS = """
CREATE TABLE subject (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_subject PRIMARY KEY,
    coalition text NOT NULL,
    family text NOT NULL,
    slug text NOT NULL,
    actor text NOT NULL,
    CONSTRAINT uq_subject_coalition_family_slug_actor UNIQUE (coalition, family, slug, actor)
);
CREATE INDEX ix_subject_actor_coalition ON subject (actor, coalition);
COMMENT ON TABLE subject IS 'What statements are about.';
COMMENT ON COLUMN subject.actor IS ''''' where the family has none';

CREATE TABLE statement (
    position bigint NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    coalition text NOT NULL,
    earliest timestamptz NOT NULL,
    latest timestamptz NOT NULL,
    actors text[] NOT NULL,
    retracted boolean NOT NULL,
    content json,
    notes json NOT NULL,
    CONSTRAINT pk_statement PRIMARY KEY (position, known_from),
    CONSTRAINT ck_statement_known_in_order CHECK (known_from < known_to)
);
CREATE INDEX ix_statement_coalition_latest_position ON statement (coalition, latest, position);
COMMENT ON TABLE statement IS 'What a recorded statement is taken to say, as known between two positions.';
COMMENT ON COLUMN statement.content IS 'null: as recorded';
COMMENT ON COLUMN statement.notes IS 'disputes, duplicates, corrections: what the record says of it';

CREATE TABLE subject_statement (
    subject_id bigint NOT NULL,
    position bigint NOT NULL,
    latest timestamptz NOT NULL,
    current boolean NOT NULL,
    known_from bigint NOT NULL,
    CONSTRAINT pk_subject_statement PRIMARY KEY (subject_id, position)
);
CREATE INDEX ix_subject_statement_subject_id_latest ON subject_statement (subject_id, latest) WHERE current;
COMMENT ON TABLE subject_statement IS 'Which statements a subject''s fold takes in.';
COMMENT ON COLUMN subject_statement.current IS 'false: a correction has moved it to another subject';
COMMENT ON COLUMN subject_statement.known_from IS 'position from which it was about this subject';

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
CREATE INDEX ix_segment_current_subject_id_valid_from ON segment_current (subject_id, valid_from);
CREATE INDEX ix_segment_superseded_bounds
    ON segment_superseded (subject_id, known_to, known_from, valid_from, valid_to);
-- No two current states of a subject overlap; superseded ones were current once, so they cannot either.
ALTER TABLE segment_current ADD CONSTRAINT ex_segment_current_overlap
    EXCLUDE USING gist (subject_id WITH =, tstzrange(valid_from, valid_to) WITH &&);
COMMENT ON TABLE segment IS
    'Between two valid times, as known between two positions, a subject was in one state.';
"""

TOKENS = """
CREATE TABLE token (
    hash bytea CONSTRAINT pk_token PRIMARY KEY,
    role text NOT NULL
        CONSTRAINT ck_token_role_known CHECK (role IN ('reader', 'contributor', 'editor', 'approver', 'admin')),
    owner text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
COMMENT ON TABLE token IS 'Who may do what; only a hash of each token is kept.';
"""

RIGHTS = """
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO registry_reader, registry_writer;
GRANT INSERT ON event, merkle_node, idempotency TO registry_writer;
GRANT UPDATE ON log_head TO registry_writer;
GRANT INSERT, UPDATE ON subject, statement, subject_statement, segment, segment_current, segment_superseded
    TO registry_writer;
GRANT INSERT ON token TO registry_writer;
REVOKE SELECT ON token FROM registry_reader;
GRANT DELETE ON segment, segment_current, segment_superseded TO registry_writer;
"""


def upgrade() -> None:
    op.execute(LOG.replace("{empty_root}", EMPTY_ROOT))
    for table in ("event", "merkle_node", "idempotency"):
        op.execute(GUARD.format(table=table))
    op.execute(SEGMENTS)
    op.execute(TOKENS)
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(RIGHTS.format(schema=schema))


def downgrade() -> None:
    for table in ("token", "segment", "subject_statement", "statement", "subject"):
        op.execute(f"DROP TABLE {table}")
    for table in ("idempotency", "merkle_node", "event", "log_head"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_change()")
