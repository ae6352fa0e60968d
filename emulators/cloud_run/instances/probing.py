"""Is a container well right now? One question of a probe, over HTTP, TCP or gRPC.

The answer comes from a real socket, so its timeout is real time whatever the emulator's clock says.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum, auto

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from emulators.cloud_run.model.probe import GrpcHealth, HttpGet, Probe

_CHECK = "/grpc.health.v1.Health/Check"
_SERVING = 1


class Health(Enum):
    """What a probe has found."""

    WELL = auto()
    UNWELL = auto()
    """It has answered something else, or has not answered in time."""
    ABSENT = auto()
    """Nobody accepts connections, so nobody has been asked."""


async def ask(host: str, port: int, probe: Probe) -> Health:
    """Ask once."""
    try:
        async with asyncio.timeout(probe.timeout.total_seconds()):
            if isinstance(probe.handler, GrpcHealth):
                return await _grpc(host, port, probe.handler.service)
            return await _connected(host, port, probe)
    except TimeoutError:
        return Health.UNWELL


async def _connected(host: str, port: int, probe: Probe) -> Health:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return Health.ABSENT
    try:
        if isinstance(probe.handler, HttpGet):
            return await _http(reader, writer, probe.handler)
        return Health.WELL
    except (OSError, ValueError):
        return Health.UNWELL
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, get: HttpGet) -> Health:
    lines = [f"GET {get.path} HTTP/1.1", "Host: localhost", "User-Agent: GoogleHC/1.0", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in get.headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    status = (await reader.readline()).split(b" ", 2)
    well = len(status) > 1 and status[1][:1] in (b"2", b"3")
    return Health.WELL if well else Health.UNWELL


async def _grpc(host: str, port: int, service: str) -> Health:
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        # On the wire a HealthCheckRequest is a StringValue, and its response's status an Int32Value.
        check = channel.unary_unary(
            _CHECK,
            request_serializer=StringValue.SerializeToString,
            response_deserializer=Int32Value.FromString,
        )
        try:
            answer = await check(StringValue(value=service))
        except grpc.aio.AioRpcError as error:
            absent = error.code() is grpc.StatusCode.UNAVAILABLE
            return Health.ABSENT if absent else Health.UNWELL
    return Health.WELL if answer.value == _SERVING else Health.UNWELL
