"""People who sign in.

`tables` what is stored · `people` who they are, and their roles · `passwords` what is kept of one, and which will do ·
`sessions` where somebody is signed in · `links` ways in that work once · `guessing` waits for whoever guesses ·
`signing_in` all of that together · `browsers` which one, in plain words · `openid` a provider that says who somebody
is, `vouching` who that is here.
"""
