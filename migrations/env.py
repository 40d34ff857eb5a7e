"""Runs the migrations on the connection that the caller hands over (`service.migrate`)."""

from alembic import context

if context.is_offline_mode():
    raise SystemExit("Migrations run on a database; see ./run migrate.")

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
