"""A receiver that takes everything, in a process of its own: ``python -m benchmarks.receiver``.

It prints its address and answers 204 until it is ended.
"""

import trio

from tests.doubles.receiver import Post, Receiver, Reply, open_receiver


async def main() -> None:
    """Take everything and keep nothing."""
    async with open_receiver() as receiver:
        receiver.reply = lambda post: _forget(receiver, post)
        print(receiver.url, flush=True)
        await trio.sleep_forever()


def _forget(receiver: Receiver, _: Post) -> Reply:
    receiver.posts.clear()
    receiver.accepted.clear()
    return Reply(204)


if __name__ == "__main__":
    trio.run(main)
