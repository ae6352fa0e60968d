"""The API's answers, as a client sees them."""

import pytest

from shared.domain.states import State
from tests.functions.api.conftest import Api
from tests.usecases.conftest import MINUTE


@pytest.mark.mission("API-07", "COST-10")
def test_a_provision_answers_with_its_operation_and_price(api: Api) -> None:
    answer = api.call("POST", "/v1/workstations", {"project": "demo"})

    operation = answer.json()
    assert (answer.status_code, operation["done"], operation["error"]) == (200, True, None)
    assert [stage["name"] for stage in operation["metadata"]["stages"]] == ["PENDING", "STARTING"]
    assert operation["response"]["state"] == "RUNNING"
    assert operation["response"]["cost"]["hourly"] == {
        "currencyCode": "USD",
        "units": "0",
        "nanos": 91_200_000,
    }
    assert operation["response"]["cost"]["millionRequests"]["nanos"] == 400_000_000
    assert operation["response"]["cost"]["requests"] == 0
    assert operation["response"]["host"].startswith("https://gateway.example/w/ws-")


@pytest.mark.mission("COST-09")
def test_a_preview_has_a_price_and_no_effect(api: Api) -> None:
    answer = api.call("POST", "/v1/workstations?validateOnly=true", {"project": "demo", "size": "ml"})

    assert answer.json()["metadata"]["estimate"]["hourlyRunning"]["nanos"] == 417_900_000
    assert api.call("GET", "/v1/workstations").json()["workstations"] == []


def test_every_bad_field_is_named_at_once(api: Api) -> None:
    body = {"project": "demo", "name": "Bad Name", "size": "huge", "cpu": "9x", "env": {"PORT": "1"}}

    answer = api.call("POST", "/v1/workstations", body)

    details = {detail["@type"].rsplit(".", 1)[1]: detail for detail in answer.json()["error"]["details"]}
    assert answer.status_code == 400
    fields = {bad["field"] for bad in details["BadRequest"]["fieldViolations"]}
    assert fields >= {"name", "size", "env.PORT"}


def test_wrong_types_and_unknown_fields_are_named_at_once(api: Api) -> None:
    answer = api.call("POST", "/v1/workstations", {"project": 3, "idleTimeout": "5m", "surprise": 1})

    violations = next(d for d in answer.json()["error"]["details"] if "fieldViolations" in d)[
        "fieldViolations"
    ]
    assert {bad["field"] for bad in violations} == {"project", "idleTimeout", "surprise"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"x"', b"[" * 100_000, b"1e999999"])
def test_a_malformed_body_is_400_and_never_500(api: Api, body: bytes) -> None:
    headers = {"authorization": f"Bearer {api.token()}"}

    answer = api.client.post("/v1/workstations", content=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_a_body_beyond_the_limit_is_refused(api: Api) -> None:
    headers = {"authorization": f"Bearer {api.token()}"}

    answer = api.client.post("/v1/workstations", content=b" " * (1024 * 1024 + 1), headers=headers)

    assert answer.status_code == 400
    assert "BODY_TOO_LARGE" in answer.text


def test_a_taken_name_is_409_and_names_what_holds_it(api: Api) -> None:
    id_ = api.provision()

    answer = api.call("POST", "/v1/workstations", {"project": "demo", "name": "main"})

    assert answer.status_code == 409
    assert id_ in answer.json()["error"]["message"]


def test_the_same_request_id_answers_with_the_same_operation(api: Api) -> None:
    path = "/v1/workstations?requestId=3f2b"
    first = api.call("POST", path, {"project": "demo"}).json()
    again = api.call("POST", path, {"project": "demo"}).json()
    other = api.call("POST", path, {"project": "other"})

    assert again["name"] == first["name"]
    assert (other.status_code, "REQUEST_ID_REUSED" in other.text) == (400, True)


def test_a_request_id_is_of_one_verb_and_one_wish(api: Api) -> None:
    """A wake that answers with yesterday's stop would leave its user waiting for nothing."""
    id_ = api.provision()
    stopping = api.call("POST", f"/v1/workstations/{id_}:stop?requestId=3f2b").json()
    waking = api.call("POST", f"/v1/workstations/{id_}:wake?requestId=3f2b&timeout=0s").json()
    deleting = api.call("DELETE", f"/v1/workstations/{id_}?requestId=3f2b").json()
    purging = api.call("DELETE", f"/v1/workstations/{id_}?requestId=3f2b&purge=true")

    verbs = [answer["metadata"]["verb"] for answer in (stopping, waking, deleting)]
    assert verbs == ["stop", "wake", "delete"]
    assert (purging.status_code, "REQUEST_ID_REUSED" in purging.text) == (400, True)


@pytest.mark.mission("LIFE-17", "API-05", "API-04")
def test_stop_and_wake(api: Api) -> None:
    id_ = api.provision()

    stopping = api.call("POST", f"/v1/workstations/{id_}:stop").json()
    assert not stopping["done"]
    api.world.clock.advance(MINUTE)
    stopped = api.call("POST", f"/v1/{stopping['name']}:wait").json()
    assert (stopped["done"], stopped["response"]["state"], stopped["response"]["reason"]) == (
        True,
        "STOPPED",
        "user",
    )

    woken = api.call("POST", f"/v1/workstations/{id_}:wake").json()
    assert (woken["done"], woken["response"]["state"]) == (True, "RUNNING")


def test_a_stale_etag_changes_nothing(api: Api) -> None:
    id_ = api.provision()

    answer = api.call("POST", f"/v1/workstations/{id_}:stop?etag=old")

    assert (answer.status_code, answer.json()["error"]["status"]) == (409, "ABORTED")
    assert api.world.get(id_).state is State.RUNNING  # type: ignore[arg-type]


def test_the_etag_of_the_answer_lets_the_next_call_through(api: Api) -> None:
    id_ = api.provision()
    etag = api.call("GET", f"/v1/workstations/{id_}").headers["etag"]

    assert api.call("POST", f"/v1/workstations/{id_}:stop", **{"if-match": etag}).status_code == 202


@pytest.mark.mission("COST-06")
def test_a_wake_above_the_cap_says_limit_spent_and_when_it_resets(api: Api) -> None:
    id_ = api.provision()
    api.call("PATCH", "/v1/users/me/budget", {"dailyLimitMicros": 1000})
    stopping = api.call("POST", f"/v1/workstations/{id_}:stop").json()
    api.world.clock.advance(MINUTE)
    api.call("POST", f"/v1/{stopping['name']}:wait")

    answer = api.call("POST", f"/v1/workstations/{id_}:wake")

    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    info = error["details"][0]
    assert info["reason"] == "DAILY_CAP"
    assert set(info["metadata"]) == {"limitMicros", "spentMicros", "resetTime"}


def test_a_limit_of_ones_own_cannot_be_above_the_operators(api: Api) -> None:
    answer = api.call(
        "PATCH", "/v1/users/me/budget", {"dailyLimitMicros": 6_000_000, "monthlyLimitMicros": -1}
    )

    assert answer.status_code == 400


@pytest.mark.mission("API-08", "API-23")
def test_a_list_comes_in_pages(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.provision(name)

    first = api.call("GET", "/v1/workstations?pageSize=2").json()
    second = api.call("GET", f"/v1/workstations?pageSize=2&pageToken={first['nextPageToken']}").json()

    shown = [item["displayName"] for item in first["workstations"] + second["workstations"]]
    assert (sorted(shown), second["nextPageToken"]) == (["a", "b", "c"], "")


@pytest.mark.parametrize("query", ["pageToken=forged", "pageSize=-1", "pageSize=x", "colour=red"])
def test_a_bad_query_is_400(api: Api, query: str) -> None:
    assert api.call("GET", f"/v1/workstations?{query}").status_code == 400


def test_anothers_page_token_is_refused(api: Api) -> None:
    for name in ("a", "b"):
        api.provision(name)
    token = api.call("GET", "/v1/workstations?pageSize=1").json()["nextPageToken"]

    assert api.call("GET", f"/v1/workstations?pageToken={token}", uid="eve").status_code == 400


@pytest.mark.mission("COST-08", "COST-11")
def test_usage_shows_both_caps_and_each_project(api: Api) -> None:
    api.provision()
    api.world.pass_time(10 * MINUTE)

    usage = api.call("GET", "/v1/usage").json()

    assert usage["day"]["limit"]["units"] == "5"
    assert usage["projects"]["demo"]["nanos"] == usage["day"]["spent"]["nanos"] > 0
    assert usage["saved"]["nanos"] > 0


@pytest.mark.mission("EVENT-01", "SEC-08")
def test_the_log_names_actor_reason_and_request(api: Api) -> None:
    id_ = api.provision()

    log = api.call("GET", f"/v1/workstations/{id_}/events").json()

    assert log["whole"]
    assert [event["kind"] for event in log["events"]] == ["created", "provisioned", "started"]
    assert {event["actor"] for event in log["events"]} == {"ada"}
    assert all(event["requestId"] for event in log["events"])


def test_an_unknown_path_and_method_answer_as_the_api_does(api: Api) -> None:
    absent, wrong = api.call("GET", "/v2/nothing"), api.call("PUT", "/v1/workstations")

    assert (absent.status_code, absent.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert wrong.json()["error"]["details"][0]["reason"] == "METHOD_NOT_ALLOWED"


def test_a_request_id_is_kept_or_made(api: Api) -> None:
    given = api.call("GET", "/healthz", **{"x-request-id": "my-request-1"})
    forged = api.call("GET", "/nope", **{"x-request-id": "bad id\twith spaces"})

    assert given.headers["x-request-id"] == "my-request-1"
    assert (
        forged.headers["x-request-id"]
        == forged.json()["error"]["details"][1]["requestId"]
        != "bad id\twith spaces"
    )


def test_our_own_failure_is_one_500_without_its_text(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.world.records.workstations_of = None  # type: ignore[method-assign,assignment]

    answer = api.call("GET", "/v1/workstations")

    assert answer.status_code == 500
    assert "NoneType" not in answer.text
    assert answer.json()["error"]["details"][1]["requestId"] == answer.headers["x-request-id"]


def test_an_outage_of_cloud_run_is_202_and_what_was_asked_for_is_kept(api: Api) -> None:
    api.world.faults.before("create", times=1000)

    answer = api.call("POST", "/v1/workstations", {"project": "demo"})

    assert (answer.status_code, answer.json()["done"]) == (202, False)
    api.world.faults.clear()
    done = api.call("POST", f"/v1/{answer.json()['name']}:wait").json()
    assert done["response"]["state"] == "RUNNING"


def test_a_running_one_says_when_it_will_stop_and_why(api: Api) -> None:
    id_ = api.provision()

    shown = api.call("GET", f"/v1/workstations/{id_}").json()

    assert (shown["stopTime"], shown["stopReason"]) == ("2026-01-05T09:30:00Z", "stop_timeout")


def test_a_stop_is_announced_in_the_log(api: Api) -> None:
    id_ = api.provision()
    api.world.pass_time(21 * MINUTE)

    told = [
        event
        for event in api.call("GET", f"/v1/workstations/{id_}/events").json()["events"]
        if event["kind"] == "warned"
    ]

    assert [event["reason"] for event in told] == ["stop_timeout"]
