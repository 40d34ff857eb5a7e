"""What the doors share.

`serving` the services behind them · `callers` who asks, and what that allows · `cookies` of whoever is signed in ·
`asking` the point asked about, and its basis · `bodies` and `uploads` what a write sends, `writing` what it would
record, `submitting` how that goes on · `pinned` answers that never change, remembered · `mementos` a page's past by
header · `atom` feeds · `sending` how an answer goes out: `fields` what of it, `formats` as what, `tables` how a table
is written.

`problems` how every refusal looks, `kinds_of_problem` which there are · `limits` how many requests there may be ·
`malformed` what is no HTTP · `observed` every request from outside, `metrics` what is counted · `operations` what
whoever runs it asks.

`describing` is what a route says of itself · `document` makes the OpenAPI document of it, with `schemas` and the
shared words of `vocabulary` · `docs` serves it.
"""
