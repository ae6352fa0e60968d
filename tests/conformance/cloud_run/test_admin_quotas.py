"""Quotas of a project in a region: how the Admin API says that one is used up, and when it is not any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import POLLING, Services, refused
from tests.emulators.cloud_run.driver import PARENT, Emulator, automatic, eventually, http, manual, running

pytestmark = pytest.mark.emulator_only

_RATE = "run/quotas, API quota; github.com/googleapis/repo-automation-bots issue 4469"
_CPU = "run/quotas, CPU allocation; terraform's 'Error code 9, Quota exceeded for total allowable CPU'"
# Polls of operations are reads, too.
_READS, _WRITES, _SERVICES = 150, 4, 2
_ERROR_INFO = "google/rpc/error_details.proto ErrorInfo"


@pytest.fixture(scope="module")
def small_region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A region in which little is allowed."""
    state = tmp_path_factory.mktemp("small-region")
    flags = ["--grace", "1", "--cpus", "1", "--services", str(_SERVICES)]
    flags += ["--reads-per-minute", str(_READS), "--writes-per-minute", str(_WRITES)]
    with running(state, *flags) as started:
        yield started


@pytest.fixture
def region(small_region: Emulator) -> Iterator[Services]:
    """The region in a fresh minute; nothing is left in it."""
    _next_minute(small_region)
    services = Services(small_region.client, PARENT, small_region.image)
    yield services
    _next_minute(small_region)
    for service in list(small_region.client.list_services(parent=PARENT)):
        _next_minute(small_region)
        services.forget(service.name.rpartition("/")[2])


def _next_minute(emulator: Emulator) -> None:
    assert http.post(f"{emulator.url}/emulator/v1/clock:advance", json={"seconds": 60}).status_code == 200


def _exhausted(call: Callable[[], Any]) -> exceptions.TooManyRequests:
    """The refusal of the first call that the quota does not allow."""
    for _ in range(_READS + _WRITES):
        try:
            call()
        except exceptions.TooManyRequests as error:
            return error
    raise AssertionError("the quota was never used up")


@check("RUN-301", source=_RATE)
def test_writes_beyond_the_quota_are_exhausted(region: Services) -> None:
    """When a minute's writes are used up, the next is RESOURCE_EXHAUSTED and names metric and limit."""
    error = _exhausted(lambda: region.begin_create("ws", region.draft(), validate_only=True))
    assert error.response.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert "quota metric 'Write requests'" in error.message
    assert "limit 'Write requests per minute per region' of service 'run.googleapis.com'" in error.message


@check("RUN-302", source=_RATE)
def test_reads_beyond_the_quota_are_exhausted(region: Services) -> None:
    """When a minute's reads are used up, the next is RESOURCE_EXHAUSTED."""
    error = _exhausted(lambda: region.client.list_services(parent=PARENT, retry=None))
    assert "metric=run.googleapis.com/read_regional&limit=ReadPerMinutePerProjectRegion" in error.message


@check("RUN-303", source=f"{_RATE}; {_ERROR_INFO}")
def test_the_quota_is_named_in_the_details(region: Services) -> None:
    """The error's details name the quota's metric, limit, value and location, and the service."""
    error = _exhausted(lambda: region.begin_create("ws", region.draft(), validate_only=True))
    assert (error.reason, error.domain) == ("RATE_LIMIT_EXCEEDED", "googleapis.com")
    assert error.metadata["service"] == "run.googleapis.com"
    assert error.metadata["quota_metric"] == "run.googleapis.com/write_regional"
    assert error.metadata["quota_limit"] == "WritePerMinutePerProjectRegion"
    assert error.metadata["quota_limit_value"] == str(_WRITES)
    assert error.metadata["quota_location"] == PARENT.rpartition("/")[2]


@check("RUN-304", source="run/quotas: per 60 seconds")
def test_a_quota_of_a_minute_is_whole_again_after_it(region: Services, small_region: Emulator) -> None:
    """A minute later there are reads and writes again; while there are none, the other quota is not touched."""
    _exhausted(lambda: region.begin_create("ws", region.draft(), validate_only=True))
    region.client.list_services(parent=PARENT, retry=None)
    _next_minute(small_region)
    assert region.accepts("ws", region.draft())


@check(
    "RUN-305", source="run/quotas: services per project and region; its code is an inference", assumed=True
)
def test_services_beyond_the_quota_are_exhausted(region: Services, small_region: Emulator) -> None:
    """When the region has as many services as it may, a create is RESOURCE_EXHAUSTED until one is deleted."""
    for number in range(_SERVICES):
        region.create(f"ws-{number}")
    assert region.refuses("ws-more", region.draft()).code == "RESOURCE_EXHAUSTED"
    _next_minute(small_region)
    region.forget("ws-0")
    assert region.accepts("ws-more", region.draft())


@check("RUN-306", source=_CPU)
def test_a_revision_beyond_the_cpus_of_the_region_fails(region: Services, small_region: Emulator) -> None:
    """A revision whose instance finds no CPU fails with code 9 and `total allowable CPU`; what serves goes on."""
    region.create("first")
    serving = small_region.scale("first", automatic(1, 1)).latest_ready_revision
    eventually(lambda: small_region.instances("first", "FROZEN"))
    _next_minute(small_region)
    service = run_v2.Service({"name": region.name("first"), "template": {"timeout": "77s"}})
    request = run_v2.UpdateServiceRequest(service=service, update_mask={"paths": ["template.timeout"]})
    operation = region.client.update_service(request=request, retry=None)
    with pytest.raises(exceptions.GoogleAPICallError, match="Quota exceeded for total allowable CPU"):
        operation.result(polling=POLLING)
    assert region.client.get_operation({"name": operation.operation.name}).error.code == 9
    assert region.get("first").latest_ready_revision == serving
    assert small_region.instances("first", "FROZEN")


@check(
    "RUN-307", source="run/docs/configuring/services/manual-scaling; an operator's runbook: released at once"
)
def test_a_service_at_manual_zero_has_no_cpus(region: Services, small_region: Emulator) -> None:
    """MANUAL 0 gives a service's CPUs back: another one can have them then."""
    region.create("first")
    small_region.scale("first", automatic(1, 1))
    eventually(lambda: small_region.instances("first", "FROZEN"))
    small_region.scale("first", manual(0))
    eventually(lambda: not small_region.instances("first"))
    _next_minute(small_region)
    region.create("second")
    small_region.scale("second", automatic(1, 1))
    assert eventually(lambda: small_region.instances("second", "FROZEN"))


@check("RUN-308", source=f"{_RATE}: reads are not counted when they are refused", assumed=True)
def test_a_minute_begins_with_its_first_call(region: Services, small_region: Emulator) -> None:
    """Calls that were refused do not make the wait longer."""
    _exhausted(lambda: region.client.list_services(parent=PARENT, retry=None))
    assert (
        refused(lambda: region.client.list_services(parent=PARENT, retry=None)).code == "RESOURCE_EXHAUSTED"
    )
    _next_minute(small_region)
    assert list(region.client.list_services(parent=PARENT, retry=None)) == []
