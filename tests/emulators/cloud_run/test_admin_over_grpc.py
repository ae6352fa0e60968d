"""The same methods over gRPC: what a client is told, and what becomes of calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.protobuf.empty_pb2 import Empty

from emulators.clock import Clock
from emulators.faults.gate import FaultGate
from emulators.rpc import grpc_server
from emulators.rpc.method import Method
from tests.emulators.cloud_run.driver import (
    PARENT,
    POLLING,
    Emulator,
    a_service,
    automatic,
    eventually,
    free_port,
    http,
    refused,
    running,
)


@contextmanager
def client_of(port: int) -> Iterator[run_v2.ServicesClient]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, run_v2.ServicesClient]]:
    """An emulator with both transports, and a client for gRPC."""
    port = free_port()
    flags = ("--grace", "1", "--grpc-port", str(port))
    with running(tmp_path_factory.mktemp("grpc"), *flags) as emulator, client_of(port) as client:
        yield emulator, client


def fault(emulator: Emulator, **rule: Any) -> None:
    assert http.post(f"{emulator.url}/emulator/v1/faults", json={"times": 1, **rule}).status_code == 200


def test_what_is_made_over_one_transport_is_seen_over_the_other(both: tuple, service_id: str) -> None:
    emulator, client = both
    service = emulator.with_image(a_service())
    operation = client.create_service(parent=PARENT, service=service, service_id=service_id)
    created = operation.result(polling=POLLING)
    assert emulator.get(service_id) == created
    emulator.scale(service_id, automatic(1, 1))
    assert eventually(lambda: emulator.instances(service_id, "FROZEN"))
    assert client.get_service(name=created.name).scaling.min_instance_count == 1


def test_a_refusal_names_the_field(both: tuple) -> None:
    _, client = both
    with pytest.raises(exceptions.InvalidArgument) as caught:
        client.create_service(parent=PARENT, service=a_service(), service_id="Upper", retry=None)
    [detail] = caught.value.details
    assert detail.field_violations[0].field


def test_a_long_refusal_is_still_that_refusal(both: tuple) -> None:
    _, client = both
    with pytest.raises(exceptions.InvalidArgument):
        client.create_service(parent=PARENT, service=a_service(), service_id="x" * 100_000, retry=None)


def test_a_duration_beyond_all_measure_is_refused(both: tuple) -> None:
    """Over gRPC nothing has looked at a number before the emulator does."""
    _, client = both
    service = run_v2.Service.pb(a_service())
    service.template.timeout.seconds = 2**60
    with pytest.raises(exceptions.InvalidArgument):
        client.create_service(
            parent=PARENT, service=run_v2.Service.wrap(service), service_id="long", retry=None
        )


def test_a_dropped_connection_is_unavailable(both: tuple, service_id: str) -> None:
    emulator, client = both
    emulator.create(service_id)
    fault(emulator, name="drop", method="GetService", effect="drop")
    with pytest.raises(exceptions.ServiceUnavailable, match="Socket closed"):
        client.get_service(name=emulator.name(service_id), retry=None)
    assert client.get_service(name=emulator.name(service_id), retry=None).name


def test_a_call_that_hangs_ends_with_the_client_s_deadline(both: tuple, service_id: str) -> None:
    emulator, client = both
    emulator.create(service_id)
    fault(emulator, name="hang", method="GetService", effect="hang")
    with pytest.raises(exceptions.DeadlineExceeded):
        client.get_service(name=emulator.name(service_id), retry=None, timeout=0.3)
    assert client.get_service(name=emulator.name(service_id), retry=None).name


def test_what_was_begun_is_carried_through() -> None:
    """A client that gives up in the middle of a call must not leave half of it."""
    asyncio.run(give_up_half_way())


async def give_up_half_way() -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(_: Empty) -> Empty:
        begun.set()
        await go_on.wait()
        done.set()
        return Empty()

    method = Method("example.Slow", "Change", Empty, Empty, "POST", "/v1/{name=slow/*}", "*", handler)
    async with (
        grpc_server.serving([method], FaultGate(Clock()), 0) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        change = channel.unary_unary("/example.Slow/Change", Empty.SerializeToString, Empty.FromString)
        call = asyncio.ensure_future(change(Empty()))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go_on.set()
        async with asyncio.timeout(20):
            await done.wait()


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path, "--runtime", "process", "--grpc-port", str(port))
    assert f"127.0.0.1:{port}" in said


def test_faults_that_cannot_be_used_are_explained(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"name": "x", "effect": "explode"}]')
    said = refused(tmp_path / "state", "--runtime", "process", "--faults", str(tmp_path / "faults.json"))
    assert "explode" in said


@pytest.mark.parametrize("garbage", [b"\x0a\xff", b"\xff" * 40, b"\x07"])
def test_what_is_no_message_is_an_internal_error(both: tuple, garbage: bytes) -> None:
    """grpc/doc/statuscodes.md: an error in parsing the request proto is INTERNAL, made by the server."""
    _, client = both
    channel = client.transport.grpc_channel
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/google.cloud.run.v2.Services/GetService")(garbage, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "Error parsing request proto" in caught.value.details()
