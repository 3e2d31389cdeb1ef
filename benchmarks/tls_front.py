"""TLS in front of a pretend venue, in a process of its own.

``python -m benchmarks.tls_front PORT CERTIFICATE KEY``: prints the port that it serves, and
passes everything on to PORT until it is ended.
"""

import ssl
import sys

import trio

from tests.doubles.link import Link


async def main(port: int, certificate: str, key: str) -> None:
    """Serve until ended."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    link = Link(port, context)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        print(link.port, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2], sys.argv[3])
