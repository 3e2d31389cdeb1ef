"""`cluster:` in a configuration: what is right, and how mistakes are told."""

from pathlib import Path

import pytest

from gateway.config import load_config
from gateway.config.mistakes import InvalidConfiguration


def write(path: Path, cluster: str, name: str = "desk-1") -> Path:
    """A configuration with this line."""
    file = path / "gateway.yaml"
    file.write_text(f"name: {name}\ncluster: {cluster}\n")
    return file


def test_a_cluster_of_several_servers(tmp_path: Path):
    """A url may name several servers, and `tls://` asks for TLS."""
    file = write(tmp_path, '{engine: nats, url: "tls://one:4222,two", replicas: 2, copies: 3}')

    cluster = load_config(file).cluster

    assert cluster is not None
    assert ["one:4222", "two:4222"] == [str(peer) for peer in cluster.peers()]
    assert cluster.tls


def test_a_cluster_in_postgresql(tmp_path: Path):
    """A url names the servers, the database and whether to speak TLS."""
    url = "postgresql://one:5432,two/desk?sslmode=verify-full"
    file = write(tmp_path, f'{{engine: postgres, url: "{url}", username: gateway}}')

    cluster = load_config(file).cluster

    assert cluster is not None
    assert ["one:5432", "two:5432"] == [str(peer) for peer in cluster.peers()]
    assert "desk" == cluster.database
    assert cluster.tls


def test_without_a_cluster_there_is_none(tmp_path: Path):
    """A gateway that has all accounts to itself says nothing."""
    file = tmp_path / "gateway.yaml"
    file.write_text("name: desk-1\n")

    assert load_config(file).cluster is None


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        ("{engine: nats}", "cluster.url: missing"),
        ("{engine: raft, url: nats://a}", "cluster.engine"),
        ('{engine: nats, url: "http://a"}', "expected nats://HOST:PORT"),
        ('{engine: nats, url: "nats://"}', "cluster.url"),
        ("{engine: nats, url: nats://a, replicas: 3}", "cluster.replicas"),
        ("{engine: nats, url: nats://a, name: A B}", "cluster.name"),
        ("{engine: nats, url: nats://a, username: me}", "cluster.password"),
        ("{engine: nats, url: nats://a, node: 1}", "cluster.node: unknown key"),
        ('{engine: postgres, url: "nats://a"}', "expected postgresql://HOST:PORT/DATABASE"),
        ('{engine: postgres, url: "postgresql://a/b?sslmode=prefer"}', "?sslmode=verify-full"),
        ('{engine: postgres, url: "postgresql://me:word@a/b", username: me}', "write HOST:PORT"),
        ('{engine: postgres, url: "postgresql://a/b"}', "cluster.username"),
        ('{engine: postgres, url: "postgresql://a/b", username: me, copies: 3}', "cluster.copies"),
        ('{engine: postgres, url: "postgresql://a/b", username: me, name: pg_a}', "cluster.name"),
        (
            '{engine: postgres, url: "postgresql://a/b", username: me, credentials_file: /a}',
            "cluster.credentials_file",
        ),
    ],
)
def test_mistakes_are_told(tmp_path: Path, cluster: str, told: str):
    """Each mistake is told with its place."""
    with pytest.raises(InvalidConfiguration) as caught:
        load_config(write(tmp_path, cluster))

    assert told in str(caught.value)


def test_a_name_has_to_fit_the_board(tmp_path: Path):
    """In a cluster a gateway's name is part of a key."""
    with pytest.raises(InvalidConfiguration, match="in a cluster"):
        load_config(write(tmp_path, "{engine: nats, url: nats://a}", name="desk one"))
