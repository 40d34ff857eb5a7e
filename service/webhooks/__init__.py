"""Webhooks: the log, sent to whoever subscribed to it, in order and at least once.

`tables` what is stored · `subscriptions` who wants what, and with which secrets · `cursors` how far each has come, and
who sends to it now · `deliveries` what came of each attempt · `schedule` how long to wait after a failure · `addresses`
where may be sent to · `messages` what is sent, and how it is signed · `sending` one attempt · `courier` the loop that
does it all · `by_hand` what somebody does without waiting for it.

The log is the queue: a subscription is a cursor on it. See docs/decisions/0022-webhooks-are-cursors-on-the-log.md.
"""
