"""Runs a command and says what memory it held at most, in bytes, on a last line after the command's own output.

A process of its own, and a small one: the kernel counts for a child what its parent held when it was born.
"""

import os
import sys


def main() -> int:
    """Runs the command that it is given; its status is the command's."""
    child = os.fork()
    if child == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    _, status, usage = os.wait4(child, 0)
    print(f"\npeak {usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024)}")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
