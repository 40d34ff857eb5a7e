"""The door for people: pages and forms, which work without JavaScript and load nothing from outside.

`pages` how a page is made and sent · `guarding` who may see it, and that a form comes from our own pages · `typed` what
a form says · `static` stylesheet and script.

`signing_in` `providing` `start` `account` `lookups` for everybody · `audit` `webhooks` for
editors · `people` `tokens` for admins.
"""
