"""The HTTP/2 side of a webhook's receiver, one request after the other."""

import h2.config
import h2.connection
import h2.events
import trio

from tests.doubles.posts import Opinion, Post


async def converse_http2(stream: trio.abc.Stream, opinion: Opinion) -> None:
    """Answer requests on one connection until the client closes it."""
    http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    http.initiate_connection()
    await stream.send_all(http.data_to_send())
    heads: dict[int, dict[str, str]] = {}
    bodies: dict[int, bytes] = {}
    while data := await stream.receive_some(65536):
        for event in http.receive_data(bytes(data)):
            match event:
                case h2.events.RequestReceived():
                    fields = {name.decode(): value.decode() for name, value in event.headers}
                    heads[event.stream_id], bodies[event.stream_id] = fields, b""
                case h2.events.DataReceived():
                    bodies[event.stream_id] += event.data
                    http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    post = _post(heads.pop(event.stream_id), bodies.pop(event.stream_id))
                    if await _answer(http, event.stream_id, opinion, post):
                        return
        await stream.send_all(http.data_to_send())


async def _answer(
    http: h2.connection.H2Connection, stream_id: int, opinion: Opinion, post: Post
) -> bool:
    """Answer one request; whether the connection is to be cut instead."""
    reply = await opinion(post)
    if not reply.cut:
        http.send_headers(stream_id, [(":status", str(reply.status)), *reply.headers])
        size = http.max_outbound_frame_size
        for begin in range(0, len(reply.body), size):  # the window of a client is far larger
            http.send_data(stream_id, reply.body[begin : begin + size])
        http.end_stream(stream_id)
    return reply.cut


def _post(fields: dict[str, str], body: bytes) -> Post:
    headers = {name: value for name, value in fields.items() if not name.startswith(":")}
    return Post(fields[":method"], fields[":path"], headers, body)
