"""Keys of requests that recorded nothing: what is recorded takes its key along, in the transaction of its events."""

from service.database import Connection

_KEEP = """
INSERT INTO idempotency (client, key, digest, position, answer)
SELECT %(client)s, %(key)s, %(digest)s, size + 1, '' FROM log_head
ON CONFLICT DO NOTHING
"""


async def keep_claim(connection: Connection, *, client: str, key: str, digest: bytes) -> bool:
    """Keeps a key behind all that is recorded now; false where it is taken."""
    done = await connection.execute(_KEEP.encode(), {"client": client, "key": key, "digest": digest})
    return done.rowcount == 1
