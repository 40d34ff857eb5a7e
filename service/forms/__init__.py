"""Forms: what a person fills in, as content of statements.

Every form follows from a model of the domain, so that a new kind has its form as soon as it has its class. Pure: no web
framework, no database; a page shows what is made here, and sends what is filled in here to the same write path as all.

    words     labels, hints and options, where the names of the models do not say it
    fields    a model → the fields that it takes, with their words
    dates     what is written or picked for a date → EDTF
    reading   what was filled in → content of the model; content → what a form is filled in with
    pasting   a table that was pasted, and choices about its columns → a mapping file of the import
    shown     fields, what they are filled in with and what is wrong with it → what a page shows
    told      a content in plain words, and two of them side by side
"""
