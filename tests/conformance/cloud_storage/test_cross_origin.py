"""What pages of other origins may: a bucket's CORS configuration, as browsers ask for it."""

import os
from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.conformance.check import check

CORS = "storage/docs/cross-origin"
ENTRIES = "storage/docs/xml-api/put-bucket-cors"
APP, OTHER = "https://app.example", "https://other.example"


@pytest.fixture
def shared(bucket_of_its_own: Any) -> Any:
    """A bucket that lets the pages of one origin read and write."""
    bucket_of_its_own.cors = [
        {
            "origin": [APP],
            "method": ["GET", "PUT"],
            "responseHeader": ["X-Goog-Meta-A"],
            "maxAgeSeconds": 600,
        },
        {"origin": ["*"], "method": ["GET"]},
    ]
    bucket_of_its_own.patch()
    return bucket_of_its_own


@pytest.fixture
def sign(shared: Any, endpoint: str, signer: Any, name: str) -> Any:
    """Signs a URL of an object in it."""

    def make(method: str) -> str:
        blob = shared.blob(name)
        options = {"expiration": timedelta(minutes=5), "credentials": signer, "method": method}
        return str(blob.generate_signed_url(version="v4", api_access_endpoint=endpoint, **options))

    return make


def preflight(url: str, origin: str, method: str) -> requests.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return requests.options(url, headers=headers, timeout=60)


def allowed(answer: requests.Response) -> str | None:
    return answer.headers.get("Access-Control-Allow-Origin")


@check("GCS-350", source=f"{CORS}: preflighted requests")
def test_a_preflight_is_answered_by_the_configuration(sign: Any) -> None:
    """A preflight for an origin and a method that an entry names is told origin, methods, headers and age."""
    answer = preflight(sign("PUT"), APP, "PUT")
    assert (answer.status_code, allowed(answer)) == (200, APP)
    assert answer.headers["Access-Control-Allow-Methods"].replace(" ", "") == "GET,PUT"
    assert answer.headers["Access-Control-Allow-Headers"].lower() == "x-goog-meta-a"
    assert answer.headers["Access-Control-Max-Age"] == "600"


@check("GCS-351", source=f"{CORS}: no match, no headers")
def test_without_a_match_nothing_is_allowed(sign: Any, endpoint: str, bucket: Any, name: str) -> None:
    """An origin or method that no entry names, or a bucket without a configuration, gets no such header."""
    assert allowed(preflight(sign("PUT"), OTHER, "PUT")) is None
    assert allowed(preflight(sign("PUT"), APP, "DELETE")) is None
    assert allowed(preflight(f"{endpoint}/{bucket.name}/{name}", APP, "GET")) is None


@check("GCS-352", source=f"{CORS}: simple requests")
def test_the_answer_itself_says_who_may_see_it(sign: Any) -> None:
    """A GET and a PUT from an origin that an entry names are answered with that origin."""
    put = requests.put(sign("PUT"), data=b"x", headers={"Origin": APP}, timeout=60)
    assert (put.status_code, allowed(put)) == (200, APP)
    got = requests.get(sign("GET"), headers={"Origin": APP}, timeout=60)
    assert (got.content, allowed(got)) == (b"x", APP)
    assert got.headers["Access-Control-Expose-Headers"].lower() == "x-goog-meta-a"
    assert allowed(requests.get(sign("GET"), timeout=60)) is None


@check(
    "GCS-353",
    source=f"{ENTRIES}: evaluated in the order listed, the first that matches is used; * is any origin",
)
def test_the_first_entry_that_matches_counts(sign: Any) -> None:
    """Of several entries the first that names origin and method counts; * stands for any origin."""
    assert allowed(preflight(sign("GET"), APP, "GET")) == APP
    assert allowed(preflight(sign("GET"), OTHER, "GET")) == "*"


@check("GCS-354", source="the client's Blob.create_resumable_upload_session, origin")
def test_an_upload_is_for_pages_of_its_origin(bucket: Any, name: str) -> None:
    """A session that was started for an origin is answered to pages of that origin."""
    data = os.urandom(1000)
    session = bucket.blob(name).create_resumable_upload_session(origin=APP)
    assert allowed(preflight(session, APP, "PUT")) == APP
    done = requests.put(session, data=data, headers={"Origin": APP}, timeout=60)
    assert (done.status_code, allowed(done)) == (200, APP)
    assert bucket.blob(name).download_as_bytes() == data


@check("GCS-355", source="storage/docs/json_api/v1/buckets#resource: cors[]")
def test_the_configuration_is_told_and_cleared(client: Any, shared: Any) -> None:
    """A bucket tells its entries as they were set, and none once they are cleared."""
    found = client.get_bucket(shared.name)
    assert [entry["origin"] for entry in found.cors] == [[APP], ["*"]]
    found.cors = []
    found.patch()
    assert client.get_bucket(shared.name).cors == []
