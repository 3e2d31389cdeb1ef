"""Certificates for servers on loopback."""

from pathlib import Path

import msgspec
import trustme

from tests.doubles.servers.process import HOST


class Certificates(msgspec.Struct, frozen=True):
    """Files in PEM form."""

    ca: Path
    """Whom to trust."""
    other_ca: Path
    """Somebody else, who signed nothing here."""
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """A certificate for `HOST`, and the authority that signed it."""
    folder.mkdir(exist_ok=True)
    authority = trustme.CA()
    made = Certificates(*(folder / name for name in ("ca.pem", "other.pem", "cert.pem", "key.pem")))
    authority.cert_pem.write_to_path(str(made.ca))
    trustme.CA().cert_pem.write_to_path(str(made.other_ca))
    issued = authority.issue_cert(HOST)
    issued.cert_chain_pems[0].write_to_path(str(made.certificate))
    issued.private_key_pem.write_to_path(str(made.key))
    for path in folder.iterdir():
        path.chmod(0o644)  # a server may run as another user
    return made
