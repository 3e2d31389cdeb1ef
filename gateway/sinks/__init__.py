"""Where events go: a folder or file per sink type, each speaking to one kind of peer.

A sink implements `gateway.contracts.sink` and is found by the `SINK` constant that
its entry point names. Cursors, retries, filters and dead letters are none of its
business: `gateway.delivery` does that for all of them alike.

No sink knows another. What several need stands between them: `tables` (events as typed
rows), `database_file` (an SQLite file that is followed and healed), `one_thread` for what
blocks, `peers`, `patterns`, `redacted` verdicts, and `extras` for client libraries, which
are imported when a sink is configured.
"""
