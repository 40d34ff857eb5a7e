"""The Merkle tree of RFC 9162 over the leaves of the log, kept as a frontier that grows by one leaf at a time.

A frontier of a tree of n leaves holds the roots of its complete subtrees, largest first: one for each 1-bit of n. Nodes
of every eighth level are stored (`Node`), so that a later proof reads few rows.
"""

import hashlib
from dataclasses import dataclass

HASH_BYTES = 32
STORED_EVERY = 8
EMPTY_ROOT = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Node:
    """The root of the complete subtree over leaves [index * 2**level, (index + 1) * 2**level)."""

    level: int
    index: int
    hash: bytes


def hash_leaf(leaf: bytes) -> bytes:
    """A leaf's hash; the prefix keeps it from being taken for a node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves, known by the roots of its complete subtrees."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @classmethod
    def parse(cls, size: int, stored: bytes) -> "Frontier":
        """The frontier as the head row holds it."""
        peaks = tuple(stored[start : start + HASH_BYTES] for start in range(0, len(stored), HASH_BYTES))
        if len(peaks) != size.bit_count() or len(stored) != len(peaks) * HASH_BYTES:
            raise ValueError("the stored frontier does not fit the size of the log")
        return cls(size, peaks)

    def render(self) -> bytes:
        """The frontier as the head row holds it."""
        return b"".join(self.peaks)

    @property
    def root(self) -> bytes:
        """The root hash of the whole tree."""
        if not self.peaks:
            return EMPTY_ROOT
        *others, root = self.peaks
        for peak in reversed(others):
            root = hash_node(peak, root)
        return root

    def push(self, leaf_hash: bytes) -> tuple["Frontier", tuple[Node, ...]]:
        """The tree with one leaf more, and the nodes to store that it completed."""
        peaks, node, completed = list(self.peaks), leaf_hash, []
        index, level = self.size, 0
        while index & 1:
            node = hash_node(peaks.pop(), node)
            index >>= 1
            level += 1
            if level % STORED_EVERY == 0:
                completed.append(Node(level, index, node))
        return Frontier(self.size + 1, (*peaks, node)), tuple(completed)
