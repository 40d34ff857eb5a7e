"""The door for people: pages and forms, which work without JavaScript and load nothing from outside.

`pages` how a page is made and sent · `guarding` who may see it, and that a form comes from our own pages · `refusing`
what is refused or fails, as a page · `typed` what a form says, `sent` what a page says beside it · `static` stylesheet
and script · `saving` what something would change, and recording it · `turning` where subjects stand, and would stand ·
`known` what is known already · `naming` whom a name in a form names · `period` from when to when something is sought.

`signing_in` `providing` `start` `account` for everybody · `finding` `events` `coalitions` `lookups` for who reads ·
`entering` `noting` `review` (`waiting` what a draft says, `again` the form that made it) `pasting` `paste_rows`
(`pasted` what its rows say, `paste_pages` what is shown) for contributors · `audit` `webhooks` for editors · `people`
`tokens` for admins.
"""
