"""Forms: what a person fills in, as content of statements.

Every form follows from a model of the domain, so that a new kind has its form as soon as it has its class. Pure: no web
framework, no database; a page shows what is made here, and sends what is filled in here to the same write path as all.

    fields    a model → the fields that it takes, with their words
    reading   what was filled in → content of the model; content → what a form is filled in with
    pasting   a table that was pasted, and choices about its columns → a mapping file of the import
    shown     fields, what they are filled in with and what is wrong with it → what a page shows
"""
