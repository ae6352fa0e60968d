"""The Admin API as the stock client uses it: what a create makes, what a list shows, what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.emulators.cloud_run.driver import (
    IMAGE,
    PARENT,
    POLLING,
    Emulator,
    a_container,
    a_service,
    alive,
    automatic,
    eventually,
    http,
    running,
)

STATE = run_v2.Condition.State


def status_of(error: exceptions.GoogleAPICallError) -> str:
    return error.response.json()["error"]["status"]


def test_a_create_makes_a_ready_service_with_an_address(emulator: Emulator, service_id: str) -> None:
    service = emulator.create(service_id)
    assert service.name == emulator.name(service_id)
    assert service.uri.startswith("http://127.0.0.1:")
    assert list(service.urls) == [service.uri]
    assert service.uid
    assert service.etag
    assert service.create_time
    assert service.generation == service.observed_generation == 1
    assert not service.reconciling
    assert service.latest_created_revision == service.latest_ready_revision != ""
    assert service.terminal_condition.type_ == "Ready"
    assert service.terminal_condition.state == STATE.CONDITION_SUCCEEDED
    assert {condition.type_ for condition in service.conditions} == {"RoutesReady", "ConfigurationsReady"}
    assert emulator.get(service_id) == service


def test_a_create_at_manual_zero_starts_no_container(emulator: Emulator, service_id: str) -> None:
    service = emulator.create(service_id)
    reasons = {condition.type_: condition.revision_reason for condition in service.conditions}
    assert reasons["ConfigurationsReady"] == run_v2.Condition.RevisionReason.HEALTH_CHECK_SKIPPED
    assert emulator.observed(service_id) == {"instances": [], "exits": [], "requestsWaiting": 0}


def test_an_accepted_change_is_reconciling_until_its_operation_is_done(tmp_path) -> None:
    with running(tmp_path, "--operation-delay", "1") as slow:
        operation = slow.client.create_service(parent=PARENT, service=a_service(), service_id="slow")
        pending = slow.get("slow")
        assert pending.reconciling
        assert pending.observed_generation == 0
        assert pending.terminal_condition.state == STATE.CONDITION_RECONCILING
        assert operation.metadata.name == pending.name
        done = operation.result(polling=POLLING)
        assert not done.reconciling
        assert done.terminal_condition.last_transition_time > pending.terminal_condition.last_transition_time


def test_a_taken_name_is_already_exists(emulator: Emulator, service_id: str) -> None:
    emulator.create(service_id)
    with pytest.raises(exceptions.Conflict) as caught:
        emulator.create(service_id)
    assert status_of(caught.value) == "ALREADY_EXISTS"


def test_two_creates_at_once_make_one_service(emulator: Emulator, service_id: str) -> None:
    def attempt(_: int) -> str:
        try:
            emulator.create(service_id)
        except exceptions.Conflict as error:
            return status_of(error)
        return "created"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == ["ALREADY_EXISTS", "created"]


@pytest.mark.parametrize("bad", ["", "Upper", "1digit", "ends-", "a" * 50, "under_score", "dot.dot"])
def test_an_illegal_service_id_is_invalid(emulator: Emulator, bad: str) -> None:
    with pytest.raises(exceptions.BadRequest) as caught:
        emulator.create(bad)
    assert status_of(caught.value) == "INVALID_ARGUMENT"


def test_the_longest_legal_service_id_is_accepted(emulator: Emulator) -> None:
    assert emulator.create("a" * 49).name.endswith("a" * 49)


def test_validate_only_changes_nothing(emulator: Emulator, service_id: str) -> None:
    request = run_v2.CreateServiceRequest(
        parent=PARENT, service=a_service(), service_id=service_id, validate_only=True
    )
    emulator.client.create_service(request=request).result(polling=POLLING)
    with pytest.raises(exceptions.NotFound):
        emulator.get(service_id)
    request.service.template.containers[0].image = ""
    with pytest.raises(exceptions.BadRequest):
        emulator.client.create_service(request=request)


def test_a_missing_service_is_not_found(emulator: Emulator) -> None:
    with pytest.raises(exceptions.NotFound) as caught:
        emulator.get("nobody")
    assert status_of(caught.value) == "NOT_FOUND"


def test_other_places_are_refused(emulator: Emulator) -> None:
    with pytest.raises(exceptions.BadRequest):
        list(emulator.client.list_services(parent="projects/demo-dormouse/locations/-"))
    with pytest.raises(exceptions.Forbidden):
        list(emulator.client.list_services(parent="projects/other/locations/europe-west1"))
    with pytest.raises(exceptions.NotFound):
        list(emulator.client.list_services(parent="projects/demo-dormouse/locations/us-east1"))


def test_a_list_is_paged_and_newest_first(tmp_path) -> None:
    with running(tmp_path) as emulator:
        for number in range(5):
            emulator.create(f"ws-{number}")
        pager = emulator.client.list_services(request=run_v2.ListServicesRequest(parent=PARENT, page_size=2))
        pages = [[service.name.rpartition("/")[2] for service in page.services] for page in pager.pages]
        assert pages == [["ws-4", "ws-3"], ["ws-2", "ws-1"], ["ws-0"]]
        bad = run_v2.ListServicesRequest(parent=PARENT, page_token="no-such-service")
        with pytest.raises(exceptions.BadRequest):
            emulator.client.list_services(request=bad)


def test_a_list_goes_on_though_the_service_that_its_page_begins_with_is_deleted(tmp_path) -> None:
    with running(tmp_path) as emulator:
        for number in range(4):
            emulator.create(f"ws-{number}")
        pages = emulator.client.list_services(request={"parent": PARENT, "page_size": 2}).pages
        assert len(next(pages).services) == 2
        emulator.client.delete_service(name=emulator.name("ws-1")).result(polling=POLLING)
        emulator.create("ws-new")
        assert [service.name for service in next(pages).services] == [emulator.name("ws-0")]


def test_a_list_has_the_same_order_after_a_restart(tmp_path) -> None:
    names = ["ws-b", "ws-c", "ws-a"]
    with running(tmp_path) as emulator:
        for name in names:
            emulator.create(name)
    with running(tmp_path) as emulator:
        listed = emulator.client.list_services(parent=PARENT)
        assert [service.name for service in listed] == [emulator.name(name) for name in reversed(names)]


def test_a_deleted_service_is_gone_and_its_name_is_free(emulator: Emulator, service_id: str) -> None:
    first = emulator.create(service_id)
    deleted = emulator.client.delete_service(name=first.name).result(polling=POLLING)
    assert deleted.delete_time
    with pytest.raises(exceptions.NotFound):
        emulator.get(service_id)
    with pytest.raises(exceptions.NotFound):
        emulator.client.delete_service(name=first.name)
    assert emulator.create(service_id).uid != first.uid


def test_a_service_that_is_being_deleted_is_shown_on_request(tmp_path) -> None:
    with running(tmp_path, "--operation-delay", "1") as slow:
        slow.create("doomed")
        slow.client.delete_service(name=slow.name("doomed"))
        assert slow.get("doomed").delete_time
        assert list(slow.client.list_services(parent=PARENT)) == []
        shown = slow.client.list_services(request={"parent": PARENT, "show_deleted": True})
        assert [service.name for service in shown] == [slow.name("doomed")]
        with pytest.raises(exceptions.Conflict):
            slow.create("doomed")


def test_a_delete_ends_the_instances(emulator: Emulator, service_id: str) -> None:
    emulator.create(service_id)
    emulator.scale(service_id, automatic(1, 1))
    [instance] = eventually(lambda: emulator.instances(service_id, "FROZEN"))
    emulator.client.delete_service(name=emulator.name(service_id)).result(polling=POLLING)
    eventually(lambda: not alive(instance["pid"]))


def test_a_delete_with_a_stale_etag_is_aborted(emulator: Emulator, service_id: str) -> None:
    service = emulator.create(service_id)
    emulator.scale(service_id, automatic(0, 1))
    request = run_v2.DeleteServiceRequest(name=service.name, etag=service.etag)
    with pytest.raises(exceptions.Conflict) as caught:
        emulator.client.delete_service(request=request)
    assert status_of(caught.value) == "ABORTED"
    request.etag = emulator.get(service_id).etag
    request.validate_only = True
    emulator.client.delete_service(request=request).result(polling=POLLING)
    assert emulator.get(service_id).name == service.name
    request.validate_only = False
    emulator.client.delete_service(request=request).result(polling=POLLING)


def test_an_unknown_image_makes_a_service_that_is_not_ready(emulator: Emulator, service_id: str) -> None:
    """Cloud Run keeps the service; its operation fails, and Ready says why."""
    service = a_service()
    service.template.containers[0].image = IMAGE.replace("a" * 64, "b" * 64)
    operation = emulator.client.create_service(parent=PARENT, service=service, service_id=service_id)
    with pytest.raises(exceptions.GoogleAPICallError, match="not found"):
        operation.result(polling=POLLING)
    broken = emulator.get(service_id)
    assert broken.terminal_condition.state == STATE.CONDITION_FAILED
    assert broken.terminal_condition.reason == run_v2.Condition.CommonReason.CONTAINER_MISSING
    assert not broken.reconciling
    assert broken.latest_ready_revision == ""


def test_a_template_without_service_account_is_refused_on_request(tmp_path) -> None:
    with running(tmp_path, "--require-service-account") as strict:
        with pytest.raises(exceptions.BadRequest, match="service_account"):
            strict.create("nobody")
        account = "dormouse-runtime@demo-dormouse.iam.gserviceaccount.com"
        assert (
            strict.create("somebody", a_service(service_account=account)).template.service_account == account
        )


def labelled(labels: dict[str, str]) -> run_v2.Service:
    service = a_service()
    service.labels = labels
    return service


def annotated(annotations: dict[str, str]) -> run_v2.Service:
    service = a_service()
    service.annotations = annotations
    return service


def contained(**fields: object) -> run_v2.Service:
    service = a_service()
    service.template.containers = [a_container(**fields)]
    return service


def resources(cpu: str, memory: str, *, idle: bool = True) -> run_v2.Service:
    limits = {"cpu": cpu, "memory": memory}
    return contained(resources=run_v2.ResourceRequirements(limits=limits, cpu_idle=idle))


@pytest.mark.parametrize(
    "service",
    [
        labelled({"run.googleapis.com/x": "y"}),
        labelled({"Upper": "y"}),
        labelled({"key": "Upper Value"}),
        labelled({"key": "v" * 64}),
        labelled({f"k{n}": "v" for n in range(65)}),
        annotated({"serving.knative.dev/x": "y"}),
        annotated({"key": "v" * (256 * 1024)}),
        annotated({"not a key": "v"}),
        contained(env={"PORT": "1"}),
        contained(env={"BIG": "v" * 32769}),
        contained(env={"A=B": "v"}),
        contained(image=""),
        resources("3", "2Gi"),
        resources("4", "1Gi"),
        resources("1", "8Gi"),
        resources("0.4", "1Gi"),
        a_service(
            execution_environment=run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2,
            containers=[resources("1", "256Mi").template.containers[0]],
        ),
        resources("1", "512 MB"),
        resources("0.5", "512Mi", idle=False),
        contained(volume_mounts=[run_v2.VolumeMount(name="nowhere", mount_path="/x")]),
        contained(startup_probe=run_v2.Probe(period_seconds=1, timeout_seconds=2)),
        run_v2.Service(),
        run_v2.Service(template=run_v2.RevisionTemplate()),
        a_service(timeout="3601s"),
        a_service(max_instance_request_concurrency=1001),
        run_v2.Service(description="d" * 513, template=a_service().template),
    ],
)
def test_what_cloud_run_refuses_is_invalid(
    emulator: Emulator, service_id: str, service: run_v2.Service
) -> None:
    with pytest.raises(exceptions.BadRequest) as caught:
        emulator.create(service_id, service)
    error = caught.value.response.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["details"][0]["fieldViolations"][0]["field"]


def test_a_malformed_body_and_an_unknown_method_are_google_errors(emulator: Emulator) -> None:
    path = f"{emulator.url}/v2/{PARENT}/services?serviceId=x"
    assert http.post(path, content=b"{not json").json()["error"]["status"] == "INVALID_ARGUMENT"
    assert http.post(path, json={"noSuchField": 1}).json()["error"]["status"] == "INVALID_ARGUMENT"
    assert http.post(f"{emulator.url}/v2/nothing").json()["error"]["code"] == 404


PAGES = {
    "rebound": {"Host": "evil.example"},
    "foreign": {"Origin": "https://evil.example"},
    "sandboxed": {"Origin": "null"},
    "on loopback": {"Origin": "http://localhost:3000"},
    "of a workstation": {"Origin": "http://ws-1.localhost:8080"},
    "an image elsewhere": {"Sec-Fetch-Site": "cross-site"},
    "an image of a workstation": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("page", PAGES)
def test_a_web_page_reaches_neither_the_admin_api_nor_the_controls(emulator: Emulator, page: str) -> None:
    for verb, path in (("GET", f"v2/{PARENT}/services"), ("POST", "emulator/v1/clock:hold")):
        answer = http.request(verb, f"{emulator.url}/{path}", headers=PAGES[page])
        assert answer.status_code == 403
    assert not http.get(f"{emulator.url}/emulator/v1/clock").json()["held"]


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}])
def test_its_own_page_and_an_address_that_was_typed_in_are_let_in(
    emulator: Emulator, headers: dict[str, str]
) -> None:
    own = {"Origin": emulator.url, **headers}
    assert http.get(f"{emulator.url}/emulator/v1/clock", headers=own).status_code == 200
