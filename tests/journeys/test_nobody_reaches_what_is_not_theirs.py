"""Two users of one local cloud, and what each gets of the other."""

import httpx2
import pytest

from emulators.stack.google_cloud import BACKUP_BUCKET
from tests.journeys.conftest import Hands

pytestmark = [pytest.mark.stack, pytest.mark.firestore]


@pytest.mark.mission("SEC-06", "LIFE-19")
def test_two_users_projects_of_one_name_never_meet(ada: Hands, grace: Hands) -> None:
    hers, other = ada.provision("same-name"), grace.provision("same-name")
    ada.inside(hers, "PUT", "/-/files/secret.txt", content=b"ada's")
    grace.inside(other, "PUT", "/-/files/mine.txt", content=b"grace's")

    assert hers != other
    assert [entry["name"] for entry in grace.inside(other, "GET", "/-/files/").json()["entries"]] == [
        "mine.txt"
    ]
    assert [entry["name"] for entry in ada.inside(hers, "GET", "/-/files/").json()["entries"]] == [
        "secret.txt"
    ]


def test_another_users_token_finds_nothing(ada: Hands, grace: Hands) -> None:
    id_ = ada.provision("private")

    for method, path in (
        ("GET", ""),
        ("POST", ":wake"),
        ("POST", ":stop"),
        ("DELETE", ""),
        ("GET", "/events"),
    ):
        assert grace.api(method, f"/v1/workstations/{id_}{path}").status_code == 404
    for path in ("/", "/-/files/", "/-/health", "/-/activity"):
        assert grace.inside(id_, "GET", path).status_code == 404


def test_the_control_planes_routes_are_nobodys(ada: Hands) -> None:
    """Not through the gateway, and not at the service itself: without an invoker's token nothing gets in."""
    id_ = ada.provision("controlled")
    service = ada.service(id_)
    assert service is not None

    for route in ("quiesce", "resume", "load", "save", "hold"):
        assert ada.inside(id_, "POST", f"/-/{route}", json={}).status_code == 404
        direct = httpx2.post(f"{service['uri']}/-/{route}", json={}, headers=ada.auth, timeout=10)
        assert direct.status_code in (401, 403)


def test_code_inside_meets_the_agent_and_is_refused_its_control_routes(ada: Hands) -> None:
    """It can reach the port, and even mint a Google-signed token for any audience: its e-mail is the wrong one."""
    id_ = ada.provision("hostile")
    script = """
import json, os, urllib.error, urllib.request
meta = "http://" + os.environ["GCE_METADATA_HOST"] + "/computeMetadata/v1/instance/service-accounts/default/"
def ask(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.urlopen(request).read().decode()
audience = "dormouse://" + os.environ.get("K_SERVICE", "") + "/epochs/99"
token = ask(meta + "identity?audience=" + audience, **{"Metadata-Flavor": "Google"})
print(ask(meta + "email", **{"Metadata-Flavor": "Google"}))
for route in ("quiesce", "resume", "load"):
    request = urllib.request.Request("http://127.0.0.1:%s/-/%s" % (PORT, route), data=b"{}", method="POST",
        headers={"Dormouse-Authorization": "Bearer " + token, "content-type": "application/json"})
    try:
        print(urllib.request.urlopen(request).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    (instance,) = ada.instances(ada.service(id_) or {})
    ada.inside(id_, "PUT", "/-/files/attack.py", content=f"PORT = {instance['port']}\n{script}".encode())

    printed, code = ada.run(id_, "python3 attack.py")

    assert code == 0, printed
    assert printed.split() == ["dormouse-runtime@demo-dormouse.iam.gserviceaccount.com", "403", "403", "403"]


def test_code_inside_reaches_no_object_but_by_a_signed_url(ada: Hands, runtime: str) -> None:
    """Others' backups lie in the same bucket. Plain processes share the machine's network and are not kept apart."""
    id_ = ada.provision("curious")
    address = ada.cloud.endpoints["cloud_storage"]
    script = f"""
import urllib.error, urllib.request
for method, path in (("GET", "/storage/v1/b/{BACKUP_BUCKET}/o"), ("POST", "/storage/v1/b"), ("GET", "/{BACKUP_BUCKET}/x")):
    request = urllib.request.Request("{address}" + path, data=b"{{}}" if method == "POST" else None, method=method)
    try:
        print(urllib.request.urlopen(request, timeout=20).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    ada.inside(id_, "PUT", "/-/files/curious.py", content=script.encode())

    printed, code = ada.run(id_, "python3 curious.py")

    assert code == 0, printed
    if runtime == "docker":
        assert printed.split() == ["403", "403", "403"]
    else:
        assert printed.split()[-1] == "403"


def test_a_hostile_body_gets_an_answer_and_never_a_500(ada: Hands) -> None:
    bodies: list[bytes] = [
        b"{",
        b"[]",
        b"null",
        b"\x00",
        b'{"project":1}',
        b'{"project":"\\ud800"}',
        b"{" * 5000,
    ]
    for body in bodies:
        for path in ("/v1/workstations", "/v1/workstations/x:wake", "/v1/operations/..%2f:wait"):
            answer = httpx2.post(
                ada.cloud.endpoints["api"] + path, content=body, headers=ada.auth, timeout=30
            )
            assert answer.status_code < 500, (path, body, answer.text)
