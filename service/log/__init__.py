"""The log: one truth, append-only, in commit order, with a Merkle tree over it.

`tables` what is stored · `codec` event → leaf and back · `merkle` the tree · `append` one batch under the gate ·
`read` the log in order · `leaves` whether it is what the tree says.
"""
