"""People who sign in: their passwords, sessions, one-time links, and what is counted against guessing.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PEOPLE = """
CREATE TABLE person (
    login text CONSTRAINT pk_person PRIMARY KEY,
    name text NOT NULL,
    email text CONSTRAINT uq_person_email UNIQUE,
    role text NOT NULL
        CONSTRAINT ck_person_role_known CHECK (role IN ('reader', 'contributor', 'editor', 'approver', 'admin')),
    password text,
    issuer text,
    subject text,
    created_at timestamptz NOT NULL,
    created_by text,
    disabled_at timestamptz,
    disabled_by text,
    CONSTRAINT uq_person_issuer_subject UNIQUE (issuer, subject)
);
COMMENT ON TABLE person IS 'Who signs in, by the name that stands on what they record.';
COMMENT ON COLUMN person.email IS 'in lower case; by it whoever was invited is known to a provider';
COMMENT ON COLUMN person.password IS 'Argon2id; null: none was set';
COMMENT ON COLUMN person.issuer IS 'the provider that has vouched for them';
COMMENT ON COLUMN person.subject IS 'who they are there';
COMMENT ON COLUMN person.created_by IS 'null: on the command line';
"""

SESSIONS = """
CREATE TABLE session (
    hash bytea CONSTRAINT pk_session PRIMARY KEY,
    id text NOT NULL GENERATED ALWAYS AS (substr(encode(hash, 'hex'), 1, 12)) STORED
        CONSTRAINT uq_session_id UNIQUE,
    login text NOT NULL CONSTRAINT fk_session_login REFERENCES person (login),
    began_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    address text NOT NULL,
    browser text NOT NULL
);
CREATE INDEX ix_session_login ON session (login);
COMMENT ON TABLE session IS 'Where somebody is signed in; only a hash of each cookie is kept. Ended is gone.';
COMMENT ON COLUMN session.id IS 'names the session without giving it away';
COMMENT ON COLUMN session.last_used_at IS 'to the minute';
COMMENT ON COLUMN session.browser IS 'in plain words';

CREATE TABLE link (
    hash bytea CONSTRAINT pk_link PRIMARY KEY,
    login text CONSTRAINT fk_link_login REFERENCES person (login),
    made_at timestamptz NOT NULL,
    made_by text,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE link IS 'Ways in that work once, to set a password; only a hash of each is kept. Used is gone.';
COMMENT ON COLUMN link.login IS 'null: whoever uses it becomes the first admin';
COMMENT ON COLUMN link.made_by IS 'null: on the command line';

CREATE TABLE attempt (
    guessed bytea CONSTRAINT pk_attempt PRIMARY KEY,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL,
    waits_until timestamptz NOT NULL
);
COMMENT ON TABLE attempt IS 'How often somebody failed to sign in of late, and how long they have to wait.';
COMMENT ON COLUMN attempt.guessed IS 'hash of the login, known or not, or of the address';
"""

RIGHTS = """
GRANT SELECT, INSERT ON person TO registry_writer;
GRANT UPDATE (name, email, role, password, issuer, subject, disabled_at, disabled_by) ON person TO registry_writer;
GRANT SELECT, INSERT, DELETE ON session TO registry_writer;
GRANT UPDATE (last_used_at) ON session TO registry_writer;
GRANT SELECT, INSERT, DELETE ON link TO registry_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON attempt TO registry_writer;
"""


def upgrade() -> None:
    op.execute(PEOPLE)
    op.execute(SESSIONS)
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute("DROP TABLE attempt, link, session, person")
