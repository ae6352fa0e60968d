"""An agent that lets nobody in, while the record says RUNNING: the gateway opens it, and the client notices nothing."""

import pytest
from starlette.types import Receive, Scope, Send

from shared.domain.names import WorkstationId
from shared.domain.states import State
from tests.agent.driver import eventually
from tests.functions.gateway.deployment import Deploy, Deployment, Served

FORCED = {"idleSeconds": None, "force": True, "reason": "idle"}


def phase(deployment: Deployment, id_: WorkstationId) -> str:
    return str(deployment.agent(id_, "/-/health")["state"])


@pytest.fixture
def quiesced(deploy: Deploy) -> tuple[Deployment, WorkstationId]:
    deployment = deploy()
    id_ = deployment.provision()
    assert deployment.control(id_, "quiesce", FORCED).is_success
    assert phase(deployment, id_) == "QUIESCED"
    return deployment, id_


def test_a_quiesced_one_is_resumed_and_served(quiesced: tuple[Deployment, WorkstationId]) -> None:
    deployment, id_ = quiesced
    assert deployment.call("GET", id_, "/-/exec").status_code == 200
    assert phase(deployment, id_) == "READY"


def test_a_call_with_a_body_is_carried_out_once(quiesced: tuple[Deployment, WorkstationId]) -> None:
    """The gate had refused it before anything was done; its short body is sent again."""
    deployment, id_ = quiesced
    answer = deployment.call("POST", id_, "/-/exec", json={"command": "echo x >> count; wc -l < count"})
    assert answer.status_code == 200
    assert deployment.call("GET", id_, "/-/files/count").text == "x\n"


def test_a_large_upload_is_not_sent_twice(quiesced: tuple[Deployment, WorkstationId]) -> None:
    """Its beginning is gone, so the client has to send it again."""
    deployment, id_ = quiesced
    answer = deployment.call("PUT", id_, "/-/files/large", content=b"x" * 1_000_000)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["error"]["details"][0]["metadata"]["stages"] == "QUIESCED"
    assert "dormouse-gate" not in answer.headers


def test_a_websocket_passes_a_closed_gate_too(quiesced: tuple[Deployment, WorkstationId]) -> None:
    from websockets.sync.client import connect  # noqa: PLC0415

    deployment, id_ = quiesced
    address = f"ws://127.0.0.1:{deployment.gateway.port}/w/{id_}/-/terminal"
    with connect(address, additional_headers=deployment.token(), proxy=None) as socket:
        assert "offset" in socket.recv(timeout=5)


def test_an_agent_that_was_halted_from_within_leaves_nobody_waiting(deploy: Deploy) -> None:
    deployment = deploy(CONTAINER_STARTUP_TIMEOUT="10")
    id_ = deployment.provision()
    assert deployment.call("PUT", id_, "/-/files/kept", content=b"x").is_success
    deployment.platform.halt(str(deployment.record(id_).service_name))

    for method, content in (("GET", None), ("PUT", b"y")):
        answer = deployment.call(method, id_, "/-/files/kept", content=content)
        assert answer.status_code == 503
        assert answer.json()["error"]["details"][0]["reason"] == "AGENT_SILENT"
        assert answer.headers["retry-after"]


@pytest.mark.mission("WAKE-05")
def test_a_replaced_instance_is_loaded_before_it_serves(deploy: Deploy) -> None:
    """It is written down, with its reason, and only one load happens for a crowd."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    deployment = deploy()
    id_ = deployment.provision()
    before = deployment.record(id_)
    deployment.platform.replace(str(before.service_name))
    eventually(lambda: _answers(deployment, id_))
    assert phase(deployment, id_) == "EMPTY"
    with ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(lambda _: deployment.call("GET", id_, "/-/exec").status_code, range(10)))
    assert answers == [200] * 10
    after = deployment.record(id_)
    assert phase(deployment, id_) == "READY"
    assert after.state is State.RUNNING
    assert after.epoch == before.epoch + 1
    assert after.boot_id != before.boot_id
    assert deployment.kinds(id_)[-2:] == ["replaced", "started"]


def test_an_instance_that_the_record_does_not_know_is_not_spoken_to(deploy: Deploy) -> None:
    """It may be loaded, but with what? Only what the record was told of serves."""
    deployment = deploy()
    id_ = deployment.provision()
    deployment.amend(id_, boot_id="the-one-before")
    assert deployment.call("GET", id_, "/-/exec").status_code == 200
    assert deployment.record(id_).boot_id == deployment.agent(id_, "/-/health")["bootId"]
    assert deployment.kinds(id_)[-2:] == ["replaced", "started"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_the_platform_says_in_its_place_is_told_as_ours(deploy: Deploy, status: int) -> None:
    """Its own text says nothing to a client's program; no agent has signed it."""
    deployment = deploy()
    id_ = deployment.provision()
    found = deployment.record(id_)
    deployment.platform.kill(str(found.service_name))
    port = int(str(found.uri).rpartition(":")[2])

    async def front(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"no available instance"})

    served = Served(front, port, lifespan="off")
    try:
        answer = deployment.call("GET", id_, "/-/files/a")
    finally:
        served.stop()
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    detail = answer.json()["error"]["details"][0]
    assert (detail["reason"], detail["metadata"]["platformStatus"]) == ("CONNECTION_BROKE", str(status))


def test_a_gate_that_stays_closed_is_told_in_time(deploy: Deploy) -> None:
    """The control plane's word that would open it does not arrive; the client gets 503, not a hanging request."""
    deployment = deploy(CONTAINER_STARTUP_TIMEOUT="3")
    id_ = deployment.provision()
    assert deployment.control(id_, "quiesce", FORCED).is_success
    # As after a takeover by a newer epoch: ours is refused.
    found = deployment.record(id_)
    audience = f"dormouse://{found.service_name}/epochs/{found.epoch + 5}"
    token = deployment.signer.token(
        aud=audience, email="dormouse-sweep@demo-dormouse.iam.gserviceaccount.com"
    )
    import httpx2  # noqa: PLC0415

    headers = {"Dormouse-Authorization": f"Bearer {token}"}
    assert httpx2.post(f"{found.uri}/-/quiesce", json=FORCED, headers=headers, trust_env=False).is_success
    answer = deployment.call("GET", id_, "/-/exec")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_an_instance_that_is_gone_is_told_as_unreachable(deploy: Deploy) -> None:
    deployment = deploy()
    id_ = deployment.provision()
    deployment.platform.kill(str(deployment.record(id_).service_name))
    answer = deployment.call("POST", id_, "/-/exec", json={"command": "true"})
    assert answer.status_code == 503
    assert answer.json()["error"]["details"][0]["reason"] == "UNREACHABLE"
    assert answer.headers["retry-after"]


def _answers(deployment: Deployment, id_: WorkstationId) -> bool:
    import httpx2  # noqa: PLC0415

    try:
        return phase(deployment, id_) != ""
    except httpx2.TransportError:
        return False
