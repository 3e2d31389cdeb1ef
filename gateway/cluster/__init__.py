"""The cluster: gateways that share the accounts of one configuration.

`placement` says who should own what; `view` compares that with who does, and decides;
`keeper` looks and acts, by the steps in `transfers`. `copies` hands books on, `epochs`
knows which event belongs to which ownership. What the engine is asked stands in `board`,
`nats` and `postgres` are two. All that decides is pure: `placement`, `view`, `notes`, `late`.
"""

from gateway.cluster.board import BoardUnavailable
from gateway.cluster.cluster import Cluster, UnknownToCluster, open_cluster
from gateway.cluster.settings import ClusterSettings
from gateway.cluster.status import ClusterStatus

__all__ = [
    "BoardUnavailable", "Cluster", "ClusterSettings", "ClusterStatus", "UnknownToCluster",
    "open_cluster",
]  # fmt: skip
