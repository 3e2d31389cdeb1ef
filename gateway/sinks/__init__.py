"""Where events go: a folder or file per sink type, each speaking to one kind of peer.

A sink implements `gateway.contracts.sink` and is found by the `SINK` constant that
its entry point names. Cursors, retries, filters and dead letters are none of its
business: `gateway.delivery` does that for all of them alike.
"""
