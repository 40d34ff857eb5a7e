"""The pledge registry: who has promised what, on which conditions, as of any date and as known at any moment.

The rooms, in the order in which a request flows through them:

    cli, server   commands; the web server, until a signal stops it; `main` wires the rooms together
    load          imports of files, and the seeds, through the same write path
    api           the door for programs: HTTP in, JSON out; `admin` the door for people: pages and forms
    web           what the doors share: errors, the caller's rights, the basis of an answer
    accounts      people who sign in: passwords, sessions, one-time links
    drafts        what waits for a second editor, and what becomes of it
    once          what is kept beside the log is changed once, however often that is sent
    record        the write path: appends what was prepared, in one transaction; `submission`: what is asked of it
    preparing     what a batch would record: decided on and re-folded, before the gate where enough is known; `keys`
                  by which a request that is sent again is known
    trial         what recording something would come to, with nothing recorded
    feed          the log, live, to whoever listens
    webhooks      the log, sent to whoever subscribed to it
    forms         what a person fills in, as content of statements
    reading       what files of others say, as content of statements
    segments      the states between two valid times, as known between two positions
    access        who may do what: tokens
    log           the append-only events and their Merkle tree
    domain        what statements mean: pure values and functions
    database      the pool, the roles, one way to run a query
    migrate       brings a database to the present schema; `examine` looks at everything that the service needs
    journal       what the service says of its own running, a line for each thing
    settings, ids what is set from outside; how events are named; `memory` how the interpreter looks after its own;
                  `turns` how long work lets others go first
    postgres      a private PostgreSQL for the start without any configuration
"""
