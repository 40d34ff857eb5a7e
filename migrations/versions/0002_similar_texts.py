"""Texts are compared: the extension that does it, which `service.migrate` makes with the rights of the login.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SELECT similarity('present', 'present')")


def downgrade() -> None:
    """Nothing to take back: the extension belongs to the database's owner."""
