"""The asynchronous client, and what becomes of many changes of one service at the same time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcAsyncIOTransport

from tests.conformance.check import check
from tests.conformance.cloud_run.services import Services

# The stock client has no asynchronous REST.
pytestmark = pytest.mark.parametrize("services", ["grpc"], indirect=True)

_ETAGS = "github.com/aip-dev/google.aip.dev issues 705 and 837 (AIP-154)"
_WRITERS = 200
_Work = Callable[[run_v2.ServicesAsyncClient], Awaitable[Any]]


@pytest.fixture
def asynchronously(request: pytest.FixtureRequest, real_project: str | None) -> Callable[[_Work], Any]:
    """Runs work with the asynchronous client, which has gRPC only."""

    async def run(work: _Work) -> Any:
        if real_project is not None:
            return await work(run_v2.ServicesAsyncClient())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{request.getfixturevalue('grpc_port')}") as channel:
            return await work(
                run_v2.ServicesAsyncClient(transport=ServicesGrpcAsyncIOTransport(channel=channel))
            )

    return lambda work: asyncio.run(run(work))


def _described(service: run_v2.Service, text: str) -> run_v2.UpdateServiceRequest:
    changed = run_v2.Service(name=service.name, etag=service.etag, description=text)
    return run_v2.UpdateServiceRequest(service=changed, update_mask={"paths": ["description"]})


@check("RUN-191", source="google-cloud-run ServicesAsyncClient")
def test_the_asynchronous_client_does_all_that_the_other_does(
    asynchronously: Callable[[_Work], Any], services: Services, service_id: str
) -> None:
    """Create, get, list, update and delete work with the asynchronous client, operations included."""

    async def work(client: run_v2.ServicesAsyncClient) -> None:
        request = run_v2.CreateServiceRequest(
            parent=services.parent, service_id=service_id, service=services.draft()
        )
        created = await (await client.create_service(request=request)).result()
        assert (await client.get_service(name=created.name, retry=None)).uid == created.uid
        listed = await client.list_services(parent=services.parent, retry=None)
        assert created.name in [service.name async for service in listed]
        changed = await (await client.update_service(request=_described(created, "x"))).result()
        assert changed.generation == 2
        await (await client.delete_service(name=created.name)).result()
        with pytest.raises(exceptions.NotFound):
            await client.get_service(name=created.name, retry=None)

    asynchronously(work)


@check("RUN-192", source=f"{_ETAGS}; google.cloud.run.v2 Service.etag")
@pytest.mark.emulator_only
def test_of_two_hundred_updates_by_one_etag_one_is_made(
    asynchronously: Callable[[_Work], Any], services: Services, service_id: str
) -> None:
    """Of 200 updates at once with the same etag exactly one is made, and the others are ABORTED."""
    service = services.create(service_id)

    async def work(client: run_v2.ServicesAsyncClient) -> list[Any]:
        updates = [
            client.update_service(request=_described(service, str(n)), timeout=120) for n in range(_WRITERS)
        ]
        return await asyncio.gather(*updates, return_exceptions=True)

    answers = asynchronously(work)
    assert sum(isinstance(answer, exceptions.Aborted) for answer in answers) == _WRITERS - 1
    assert services.get(service_id).generation == 2


@check("RUN-193", source=f"{_ETAGS}; google.cloud.run.v2 Service.etag")
@pytest.mark.emulator_only
def test_two_hundred_concurrent_updates_by_etag_lose_nothing(
    asynchronously: Callable[[_Work], Any], services: Services, service_id: str
) -> None:
    """200 writers at once, each of which adds its own annotation by read, etag and retry, all find theirs kept."""
    name = services.create(service_id).name

    async def add(client: run_v2.ServicesAsyncClient, number: int) -> None:
        while True:
            read = await client.get_service(name=name, retry=None, timeout=120)
            changed = run_v2.Service(name=name, etag=read.etag, annotations=dict(read.annotations))
            changed.annotations[f"writer-{number}"] = "x"
            request = run_v2.UpdateServiceRequest(service=changed, update_mask={"paths": ["annotations"]})
            try:
                await client.update_service(request=request, timeout=120)
                return
            except exceptions.Aborted:
                # Writers that keep step would read the same etag again.
                await asyncio.sleep(random.random())

    async def work(client: run_v2.ServicesAsyncClient) -> None:
        await asyncio.gather(*(add(client, number) for number in range(_WRITERS)))

    asynchronously(work)
    service = services.get(service_id)
    assert set(service.annotations) == {f"writer-{number}" for number in range(_WRITERS)}
    assert service.generation == 1 + _WRITERS
