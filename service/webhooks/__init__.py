"""Webhooks: the log, sent to whoever subscribed to it, in order and at least once.

`tables` what is stored · `subscriptions` who wants what, and with which secrets · `cursors` how far each has come, who
sends to it now, and what came of it · `schedule` how long to wait after a failure · `addresses` where may be sent to ·
`messages` what is sent, and how it is signed · `sending` one attempt · `delivery` the loop that does it all.

The log is the queue: a subscription is a cursor on it. See docs/decisions/0022-webhooks-are-cursors-on-the-log.md.
"""
