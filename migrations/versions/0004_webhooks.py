"""Webhooks: subscriptions with their cursors, secrets, and a log of deliveries.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE webhook (
    webhook_id uuid CONSTRAINT pk_webhook PRIMARY KEY,
    owner text NOT NULL,
    url text NOT NULL,
    description text NOT NULL,
    coalition text,
    kind text,
    country text,
    state text NOT NULL CONSTRAINT ck_webhook_state_known CHECK (state IN ('active', 'paused', 'switched_off')),
    reason text CONSTRAINT ck_webhook_reason_known CHECK (reason IN ('gone', 'failing')),
    position bigint NOT NULL CONSTRAINT ck_webhook_position_in_the_log CHECK (position >= 0),
    attempts integer NOT NULL,
    next_at timestamptz NOT NULL,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    leased_by uuid,
    leased_until timestamptz,
    CONSTRAINT ck_webhook_reason_given CHECK ((state = 'switched_off') = (reason IS NOT NULL))
);
-- The same subscription twice would send everything twice; and so a repeated request has no second effect.
CREATE UNIQUE INDEX uq_webhook_owner_url_filters
    ON webhook (owner, url, coalition, kind, country) NULLS NOT DISTINCT;
COMMENT ON TABLE webhook IS 'Who is sent which events, and how far that has come.';
COMMENT ON COLUMN webhook.position IS 'everything up to it was accepted, or was not wanted';
COMMENT ON COLUMN webhook.attempts IS 'how often the next event has failed';
COMMENT ON COLUMN webhook.next_at IS 'no attempt before it';
COMMENT ON COLUMN webhook.revision IS 'counts changes, so that whoever is sending notices one';
COMMENT ON COLUMN webhook.leased_by IS 'the process that sends to it now';

CREATE TABLE webhook_secret (
    webhook_id uuid NOT NULL
        CONSTRAINT fk_webhook_secret_webhook_id REFERENCES webhook (webhook_id) ON DELETE CASCADE,
    secret bytea NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT pk_webhook_secret PRIMARY KEY (webhook_id, secret)
);
CREATE UNIQUE INDEX uq_webhook_secret_present ON webhook_secret (webhook_id) WHERE expires_at IS NULL;
COMMENT ON TABLE webhook_secret IS
    'With what deliveries are signed: in the clear, as it has to be; for the writer alone.';
COMMENT ON COLUMN webhook_secret.expires_at IS 'null: the present one';

CREATE TABLE webhook_delivery (
    webhook_id uuid NOT NULL
        CONSTRAINT fk_webhook_delivery_webhook_id REFERENCES webhook (webhook_id) ON DELETE CASCADE,
    delivery_id uuid NOT NULL,
    cause text NOT NULL CONSTRAINT ck_webhook_delivery_cause_known CHECK (cause IN ('log', 'resend', 'ping')),
    position bigint,
    attempt integer NOT NULL,
    began_at timestamptz NOT NULL,
    took_ms integer NOT NULL,
    status smallint,
    failure text,
    CONSTRAINT pk_webhook_delivery PRIMARY KEY (webhook_id, delivery_id)
);
COMMENT ON TABLE webhook_delivery IS 'The latest attempts to deliver, and what came of each.';
COMMENT ON COLUMN webhook_delivery.position IS 'of the event; null: a ping';
COMMENT ON COLUMN webhook_delivery.status IS 'what the receiver answered; null: nothing';
COMMENT ON COLUMN webhook_delivery.failure IS 'null: accepted';
"""

# The reader gets none of them: an address is often a secret by itself.
RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook, webhook_secret TO registry_writer;
GRANT SELECT, INSERT, DELETE ON webhook_delivery TO registry_writer;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute("DROP TABLE webhook_delivery, webhook_secret, webhook")
