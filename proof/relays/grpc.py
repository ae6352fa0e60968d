"""A gRPC relay: any method, its messages as bytes. Firestore's calls here are one question and a few answers."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import grpc
from google.cloud.firestore_v1.types import CommitRequest

from proof.relays.http import LOOPBACK
from proof.tripwire import Call, Dropped, Tripwire

_OURS = ("user-agent", "grpc-", "te", "content-type")


class GrpcRelay(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Between one caller and Firestore."""

    def __init__(self, caller: str, port: Callable[[], int], tripwire: Tripwire) -> None:
        self._caller = caller
        self._port = port
        self._tripwire = tripwire
        self._channel: Any = None

    async def start(self) -> tuple[Any, int]:
        """The server, and the free port that it listens on."""
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((self,))
        port = server.add_insecure_port(f"{LOOPBACK}:0")
        await server.start()
        return server, port

    def service(self, details: Any) -> Any:
        """The handler of whatever method is called."""
        return grpc.stream_stream_rpc_method_handler(
            partial(self._relay, details.method, details.invocation_metadata)
        )

    async def _relay(
        self, method: str, metadata: Any, questions: AsyncIterator[bytes], context: Any
    ) -> AsyncIterator[bytes]:
        asked = [question async for question in questions]
        forward = partial(self._forward, method, metadata, asked, context)
        try:
            call = Call(self._caller, "firestore", name_of(method, asked))
            answers = await self._tripwire.pass_on(call, forward)
        except Dropped:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The line was cut.")
        except grpc.aio.AioRpcError as refusal:
            await context.abort(refusal.code(), refusal.details(), tuple(refusal.trailing_metadata() or ()))
        for answer in answers:
            yield answer

    async def _forward(self, method: str, metadata: Any, asked: list[bytes], context: Any) -> list[bytes]:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{self._port()}")
        theirs = tuple((key, value) for key, value in metadata if not key.startswith(_OURS))
        call = self._channel.stream_stream(method)(
            _each(asked), metadata=theirs, timeout=context.time_remaining()
        )
        return [answer async for answer in call]


async def _each(items: list[bytes]) -> AsyncIterator[bytes]:
    for item in items:
        yield item


def name_of(method: str, asked: list[bytes]) -> str:
    """The method; a commit by the kind of the event that it writes, `amend` where it writes none."""
    name = method.rpartition("/")[2]
    if name != "Commit" or not asked:
        return name
    writes = CommitRequest.deserialize(asked[0]).writes
    events = [write.update for write in writes if "/events/" in write.update.name]
    kinds = [event.fields["kind"].string_value for event in events]
    return f"Commit {kinds[0] if kinds else 'amend'}"
