"""Tools that adapters and sinks lean on to speak with the outside.

Sockets: `websocket` (the door: `open_websocket`), `messages` (what it hands
over and how it ends), `via_trio_websocket` and `via_websockets` (one file per
library), `upgrade` (the server's answer to the handshake).

Below them: `addresses` (URLs), `proxies` (which proxy, if any), `resolver`
(names, in threads of their own), `dial` (TCP, proxy, TLS: each failure named).

HTTP: `rest`, over `http_streams`. Tasks: `onefailure`. Time: `backoff`, `limits`,
`keepalive`, `pauses`. Accounts together: `once` (one asks for all), `commons`
(what those at one host share).

Foreign errors end here: whoever uses this room sees only `gateway.errors`.
"""
