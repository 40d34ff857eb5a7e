"""The command line: start the service, and look after its data.

`serving` the command that serves · `data` those that look after the data · `files` those that take files in, and give
the log as one · `callers` who may do what · `ground` what all of them stand on · `__main__` for `python -m`.
"""

import sys

import psycopg
import typer
from psycopg_pool import PoolTimeout

from service.cli.callers import tokens, users
from service.cli.data import doctor, migrate, rebuild, seed, verify
from service.cli.files import export, import_file
from service.cli.ground import talk
from service.cli.serving import serve
from service.domain.errors import RegistryError, for_people
from service.load.told import told_fault
from service.postgres import PostgresError

_REFUSALS = (
    psycopg.OperationalError,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""What the database says to whoever set it up otherwise than it has to be."""
_HELP = """The command line: start the service, and look after its data.

With no DATABASE_URL every command uses the private PostgreSQL below STATE_DIR, and starts it if it is not running.
"""
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=_HELP)
app.command()(serve)
app.command()(migrate)
app.command()(seed)
app.command("import")(import_file)
app.command()(export)
app.command()(rebuild)
app.command()(verify)
app.command()(doctor)
app.add_typer(tokens, name="token")
app.add_typer(users, name="user")


def main() -> None:
    """Runs a command; what it refuses is said in a sentence, without a traceback."""
    try:
        app(prog_name="./run")
    except RegistryError as error:
        faults = "".join(f"\n{line}" for line in map(told_fault, error.faults))
        talk.print(f"error: {for_people(error.detail)}{faults}", markup=False, soft_wrap=True)
        sys.exit(1)
    except (PostgresError, PoolTimeout, *_REFUSALS) as error:
        talk.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
