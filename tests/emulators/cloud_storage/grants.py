"""What a writer without an account is given, and how such writers write."""

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.emulators.cloud_storage.test_tokens_are_limited import exchange

BUCKET, OTHER = "grants", "grants-other"
MOST = 1000
CREATE = {"x-goog-if-generation-match": "0"}
BOUNDED = CREATE | {"x-goog-content-length-range": f"0,{MOST}"}
SOON = timedelta(minutes=5)


@dataclass(frozen=True)
class Place:
    """An emulator that verifies, its owner's buckets, and who signs."""

    url: str
    bucket: Any
    accounts: Any

    def signed(self, method: str, name: str, headers: dict[str, str], soon: timedelta = SOON) -> str:
        """A URL for one method, name and set of headers."""
        return str(
            self.bucket.blob(name).generate_signed_url(
                expiration=soon,
                version="v4",
                method=method,
                headers=dict(headers),
                credentials=self.accounts.signer,
                api_access_endpoint=self.url,
            )
        )

    def form(self, prefix: str) -> dict[str, Any]:
        """A policy that leaves the end of the key to the form; the client makes them for one key alone."""
        now, signer = datetime.now(UTC), self.accounts.signer
        date = now.strftime("%Y%m%dT%H%M%SZ")
        fields = {
            "x-goog-date": date,
            "x-goog-credential": f"{signer.signer_email}/{date[:8]}/auto/storage/goog4_request",
            "x-goog-algorithm": "GOOG4-RSA-SHA256",
        }
        conditions: list[Any] = [{"bucket": BUCKET}, *({name: text} for name, text in fields.items())]
        conditions += [["starts-with", "$key", prefix], ["content-length-range", 0, MOST]]
        document = {"conditions": conditions, "expiration": (now + SOON).strftime("%Y-%m-%dT%H:%M:%SZ")}
        policy = b64encode(json.dumps(document).encode())
        signature = signer.sign_bytes(policy).hex()
        return {"fields": fields | {"policy": policy.decode(), "x-goog-signature": signature}}

    def token(self, prefix: str, role: str = "objectCreator") -> str:
        """A token that is downscoped to a prefix."""
        objects = f"resource.name.startsWith('projects/_/buckets/{BUCKET}/objects/{prefix}')"
        lists = f"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{prefix}')"
        rule = {
            "availableResource": f"//storage.googleapis.com/projects/_/buckets/{BUCKET}",
            "availablePermissions": [f"inRole:roles/storage.{role}"],
            "availabilityCondition": {"expression": f"{objects} || {lists}"},
        }
        return str(exchange(self.accounts, rule).raise_for_status().json()["access_token"])

    def content(self, name: str) -> bytes | None:
        """What the owner finds under the name."""
        blob = self.bucket.blob(name)
        return blob.download_as_bytes(retry=None) if blob.exists(retry=None) else None


def send(method: str, url: str, content: bytes = b"", **headers: str) -> int:
    return httpx2.request(method, url, content=content, headers=headers, trust_env=False).status_code


def upload(place: Place, token: str, name: str, content: bytes, bucket: str = BUCKET, query: str = "") -> int:
    url = f"{place.url}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}{query}"
    return send("POST", url, content, Authorization=f"Bearer {token}")


def start(place: Place, url: str, headers: dict[str, str]) -> str:
    asked = headers | {"x-goog-resumable": "start"}
    answer = httpx2.post(url, headers=asked, trust_env=False)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def post(place: Place, form: dict[str, Any], key: str, content: bytes, bucket: str = BUCKET) -> int:
    fields, files = form["fields"] | {"key": key}, {"file": ("f", content)}
    url = f"{place.url}/{bucket}/"
    return httpx2.post(url, data=fields, files=files, trust_env=False).status_code
