"""The door for programs: HTTP in, JSON out; one file for each thing that is asked about.

`coalitions` · `commitments` · `subjects` · `timeline` · `events` · `actors` answer, `answering` is what they share;
`past` of pages by header, `following` as feeds. `statements` and `imports` record, by `recording`; `drafts` · `tokens`
· `webhooks` and their `deliveries` are kept beside the log, and changed by `changing`. `shapes`, `answered`,
`recorded`, `kept` and `webhook_shapes` are the shapes of answers, for the document; `outlines` says which of it are
tables.
"""
