"""What waits for a second editor: put up by one, decided on by another, recorded once.

`stored` is what is kept of a draft, `queue` for whom it waits, `deciding` what happens to it, `approvals` who approved
what is recorded. What a draft would record are events, as the write path takes them: whichever door they came through,
they are checked, shown and recorded alike.
"""
