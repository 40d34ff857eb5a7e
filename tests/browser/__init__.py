"""The pages as people have them: in a real browser, over a real server and database, with and without JavaScript."""
