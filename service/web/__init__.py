"""What the doors share.

`serving` the services behind them and the caller's rights · `asking` the point asked about, and its basis · `bodies`
what a write sends · `problems` how every refusal looks · `pinned` answers that never change, remembered.
"""
