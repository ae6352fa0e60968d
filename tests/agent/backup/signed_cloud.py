"""A Cloud Storage emulator, and a control plane that signs grants for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from agent.backup.form.bounds import LARGEST_PACK
from agent.backup.stores.grants import ReadGrant, WriteGrant

from shared.adapters.cloud_storage import storage_client
from shared.adapters.signing import BlobSigner
from tests.emulator_processes import API, BUCKET, PROJECT, IdentityEmulator

CREATE_ONLY = {"x-goog-if-generation-match": "0", "x-goog-content-length-range": f"0,{LARGEST_PACK}"}


@dataclass
class Cloud:
    """An emulator, and the control plane that signs for it."""

    url: str
    bucket: Any
    signer: BlobSigner

    def write(self, name: str, **options: Any) -> WriteGrant:
        return WriteGrant(name, self._sign("PUT", name, headers=CREATE_ONLY, **options), CREATE_ONLY)

    def read(self, name: str) -> ReadGrant:
        return ReadGrant(name, self._sign("GET", name), {})

    def fault(self, effect: str, method: str, name: str, **rule: Any) -> Callable[[], int]:
        """Put a rule in force and return what counts its hits."""
        rule |= {"name": uuid4().hex, "effect": effect, "resource": f"{BUCKET}/{name}"}
        faults = f"{self.url}/emulator/v1/faults"
        rule["method"] = f"storage.objects.{method}"
        httpx2.post(faults, json=rule, trust_env=False).raise_for_status()

        def hits() -> int:
            rules = httpx2.get(faults, trust_env=False).json()["faults"]
            return next(found["hits"] for found in rules if found["name"] == rule["name"])

        return hits

    def content(self, name: str) -> bytes:
        return self.bucket.blob(name).download_as_bytes(retry=None)

    def _sign(self, method: str, name: str, **options: Any) -> str:
        options = {"expiration": timedelta(minutes=15), "credentials": self.signer} | options
        return self.bucket.blob(name).generate_signed_url(version="v4", method=method, **options)


def start_cloud(start: Callable[..., int], identity: IdentityEmulator, patch: pytest.MonkeyPatch) -> Cloud:
    port = start("emulators.cloud_storage", "--keys-base", identity.url, "--bucket", BUCKET)
    url = f"http://127.0.0.1:{port}"
    patch.setenv("STORAGE_EMULATOR_HOST", url)
    identity.become(API, patch)
    return Cloud(url, storage_client(PROJECT).bucket(BUCKET), BlobSigner(API, identity.url))
