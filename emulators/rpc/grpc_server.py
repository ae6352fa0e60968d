"""How are the methods served over gRPC?  In the same event loop as REST, with the same errors."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf import any_pb2, json_format
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # noqa: F401 - makes the types of details known

from emulators.errors import ApiError
from emulators.faults.gate import Dropped, FaultGate
from emulators.rpc.credentials import carry
from emulators.rpc.method import Message, Method
from emulators.serving import LOOPBACK

_LOG = logging.getLogger(__name__)
_GRACE_SECONDS = 1.0
# Errors travel as metadata, of which clients take 8 KiB; beyond that the error itself would be lost.
_LONGEST_MESSAGE = 1000
_MOST_DETAILS = 4096
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class PortTaken(Exception):
    """The port belongs to another program."""


@asynccontextmanager
async def serving(methods: Iterable[Method], gate: FaultGate, port: int) -> AsyncIterator[int]:
    """Serve on loopback, without TLS, until the end of the block; yields the port, which 0 lets the system choose.

    Raises PortTaken.
    """
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(_handlers(methods, gate))
    try:
        bound = server.add_insecure_port(f"{LOOPBACK}:{port}")
    except RuntimeError as error:
        raise PortTaken(f"cannot listen on {LOOPBACK}:{port}: choose another port") from error
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(_GRACE_SECONDS)


def _handlers(methods: Iterable[Method], gate: FaultGate) -> tuple[grpc.GenericRpcHandler, ...]:
    services: defaultdict[str, dict[str, grpc.RpcMethodHandler]] = defaultdict(dict)
    for method in methods:
        services[method.service][method.name] = grpc.unary_unary_rpc_method_handler(
            _behaviour(method, gate),
            response_serializer=method.response.SerializeToString,
        )
    return tuple(grpc.method_handlers_generic_handler(name, table) for name, table in services.items())


def _behaviour(method: Method, gate: FaultGate) -> Callable[[bytes, Any], Awaitable[Message]]:
    async def behave(encoded: bytes, context: Any) -> Message:
        carry(dict(context.invocation_metadata()).get("authorization"))
        try:
            request = method.request.FromString(encoded)
        except DecodeError:
            # The library itself would call it UNKNOWN; gRPC's table of codes has INTERNAL for it.
            await context.abort(grpc.StatusCode.INTERNAL, "Error parsing request proto.")
        try:
            return await gate.around(method.name, method.resource(request), lambda: _whole(method, request))
        except ApiError as error:
            await context.abort(_CODES[error.code.number], _short(error.message), _details(error))
        except Dropped:
            # gRPC's own word for a connection that broke.
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        except Exception as error:
            _LOG.exception("%s failed", method.name)
            message = f"The emulator failed: {error!r}. Its log has the traceback."
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, _short(message))
        raise AssertionError("an aborted call goes no further")

    return behave


async def _whole(method: Method, request: Message) -> Message:
    """What was begun is carried through, also when the client no longer waits for it."""
    return await asyncio.shield(asyncio.ensure_future(method.handler(request)))


def _short(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} ..."


def _details(error: ApiError) -> tuple[tuple[str, bytes], ...]:
    packed = _status(error).SerializeToString()
    return (("grpc-status-details-bin", packed),) if len(packed) <= _MOST_DETAILS else ()


def _status(error: ApiError) -> status_pb2.Status:
    status = status_pb2.Status(code=error.code.number, message=error.message)
    for detail in error.details:
        status.details.append(json_format.ParseDict(detail, any_pb2.Any()))
    return status
