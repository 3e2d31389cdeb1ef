"""The house: everything about the gateway that knows no exchange.

An adapter turns one account's exchange frames into events; the house writes each
event to the journal once, and a worker per sink carries it from there. Start
reading at `app`, or at `README.md` beside this file for the map.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("exchange-event-gateway")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0.0.0+unknown"
