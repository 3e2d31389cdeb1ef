"""What a running gateway shows and obeys: health, metrics, status, events, orders.

For operators, their scripts and Prometheus. `server.open_admin` serves one API at
two doors: where `http.listen` says, and always on `control.sock` in the state
directory, which the command line uses. It meets the rest of the gateway only
through the protocol in `house`.

Read `site` for the way of a request, `routes` for what can be asked, `model` for
the answers, `connection` for one client's life, `guard` for who is let in.
"""
