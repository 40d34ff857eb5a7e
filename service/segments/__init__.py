"""The states between two valid times, as known between two positions: computed from the log, never the truth.

`tables` what is stored · `effective` what recorded statements are taken to say · `revise` re-folds what an event
touches · `query` as-of answers · `search` words in what was stated · `mementos` when a page changed · `effects` what
each event changed · `rebuild` everything anew from the log, and the proof that nothing changes.
"""
