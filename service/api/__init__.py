"""The door for programs: HTTP in, JSON out; one file for each thing that is asked about.

`coalitions` · `commitments` · `subjects` · `timeline` · `events` · `actors` answer; `statements` records; `answering`
is what they share. `shapes` and `answered` are the shapes of answers, for the document alone.
"""
