"""What files of others say, as content of statements: JSON Lines, tables, and tables that a mapping translates.

Reading judges nothing but form: a row becomes content, or faults with its number, and the column where one is to blame.
Whether the content is a statement is asked of the domain, and by whoever reads. Nothing here is kept longer than a row.
"""
