"""The door for programs: HTTP in, JSON out; one file for each thing that is asked about.

`coalitions` · `commitments` · `subjects` · `timeline` · `events` · `actors` answer; `statements` records;
`webhooks` says who is sent the log; `answering` is what they share. `shapes`, `answered` and
`webhook_shapes` are the shapes of answers, for the document; `outlines` says which of it are tables.
"""
