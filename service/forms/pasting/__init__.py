"""A pasted table: which field each of its columns goes to, and how its cells are read, chosen by hand.

What is chosen makes the mapping file of the import, and a mapping file that says no more than can be chosen gives the
choices back. Pure, as all forms are: the table is read by the import's own reader, the words are those of the forms.

    sheets     a pasted text → a table, small enough for a page
    targets    a kind → the fields that a column can go to
    choices    what is chosen of a table; what a page sends → that
    called     what people call fields and options in tables of their own
    proposing  headings and cells → a first guess
    made       choices → a mapping file, and back
    asked      choices → what a page asks of each column, and how the first cells are understood
    faults     what is wrong with a cell or a row, in the words of the pages
    mending    a cell of a pasted text is replaced
    written    statements → the table that is read as them again
"""
