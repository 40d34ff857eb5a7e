"""What the doors share.

`serving` the services behind them and the caller's rights · `asking` the point asked about, and its basis · `bodies`
what a write sends · `problems` how every refusal looks · `pinned` answers that never change, remembered · `mementos`
a page's past by header · `atom` feeds · `sending` how an answer goes out: `fields` what of it, `formats` as what,
`tables` how a table is written.

`describing` is what a route says of itself · `document` makes the OpenAPI document of it, with `schemas` and the shared
words of `vocabulary` · `docs` serves it.
"""
