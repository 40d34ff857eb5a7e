"""Files → the log, through the write path: imports of statements, and the seeds. Both are safe to repeat."""

from service.load.seeds import load_seeds

__all__ = ["load_seeds"]
