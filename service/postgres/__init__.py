"""A private PostgreSQL, so that the registry starts with no configuration at all.

Everything lives in `STATE_DIR/postgres`, a folder that only its owner can enter: the data, the log and the
one unix socket. Nothing listens on the network, which is why the socket needs no password.

The kernel keeps the books, because it alone is still there after a SIGKILL. Four locked files say who lives:

* `users.lock`   shared by every process that uses the server: when nobody holds it, the server must go;
* `change.lock`  held while the server is started or stopped, so that two processes never do both at once;
* `server.lock`  inherited by the server and all its children: while it is held, the data are in use,
                 whatever a pid file says, and in whichever container;
* `guard.lock`   held by a small process that sleeps until `users.lock` is free, then stops the server. It
                 cleans up after users that were killed; one that leaves in good order does so itself.

A pid file proves nothing: its number may by now belong to a stranger. A process is believed to be our server
only if its command line says so, and no other process is ever sent a signal.

`users` use it, the first one starts it, the last one stops it · `guard` does where that one was killed · `server` how
it is started, found and stopped · `place` the folder, its locks and its socket · `binaries` PostgreSQL's programs ·
`system` what the operating system is asked for.
"""

from service.postgres.binaries import find_binaries
from service.postgres.system import PostgresError
from service.postgres.users import is_running, private_postgres

__all__ = ["PostgresError", "find_binaries", "is_running", "private_postgres"]
