"""The states between two valid times, as known between two positions: computed from the log, never the truth.

`tables` what is stored · `effective` what recorded statements are taken to say · `revise` re-folds what an event
touches, `storing` writes that · `query` as-of answers · `timeline` statements as they occurred · `history` all that was
ever known of a subject · `search` words in what was stated · `similar` what may tell the same act · `named` who is
known by which names · `mementos` when a page changed · `since` what is known otherwise · `heard` the log as it is
listened to · `effects` what each event changed · `rebuild` everything anew from the log, and the proof that nothing
changes.
"""
