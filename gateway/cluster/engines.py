"""The engines that a cluster may be on, by their names in `gateway.yaml`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from gateway.cluster.board import Engine, Epochs
from gateway.cluster.nats import open_nats
from gateway.cluster.postgres import open_postgres
from gateway.cluster.settings import ClusterSettings

OpenEngine = Callable[[ClusterSettings, Epochs], AbstractAsyncContextManager[Engine]]
"""Opens an engine; it must not wait for servers that are down."""

ENGINES: Final[Mapping[str, OpenEngine]] = {"nats": open_nats, "postgres": open_postgres}
"""A client library is imported only where its engine is opened."""
