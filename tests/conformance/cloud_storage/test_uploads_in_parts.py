"""Multipart uploads of the XML API, as the stock transfer manager makes them."""

import os
from typing import Any

import pytest
import requests
from google.cloud.storage import transfer_manager
from google.cloud.storage._media.requests import XMLMPUContainer, XMLMPUPart
from google.cloud.storage.exceptions import InvalidResponse

from tests.conformance.check import check

PARTS = "storage/docs/multipart-uploads"
MEBIBYTE = 1 << 20
DATA = os.urandom(6 * MEBIBYTE)


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("parts") / "file"
    path.write_bytes(DATA)
    return str(path)


@pytest.fixture
def container(endpoint: str, bucket: Any, http: requests.Session, name: str, file: str) -> XMLMPUContainer:
    """A multipart upload that has begun."""
    begun = XMLMPUContainer(f"{endpoint}/{bucket.name}/{name}", file, retry=None)
    begun.initiate(transport=http, content_type="text/x-y")
    return begun


def send(
    container: XMLMPUContainer, http: requests.Session, file: str, number: int, start: int, end: int
) -> None:
    part = XMLMPUPart(
        container.upload_url, container.upload_id, file, start, end, number, checksum="md5", retry=None
    )
    part.upload(http)
    container.register_part(number, part.etag)


@check("GCS-340", source=f"{PARTS}; the client's transfer_manager.upload_chunks_concurrently")
def test_the_client_uploads_in_concurrent_parts(bucket: Any, name: str, file: str) -> None:
    """The stock transfer manager uploads a file in parts at the same time; the object has no MD5."""
    blob = bucket.blob(name)
    transfer_manager.upload_chunks_concurrently(
        file, blob, chunk_size=5 * MEBIBYTE, worker_type=transfer_manager.THREAD
    )
    found = bucket.get_blob(name)
    assert (found.size, found.md5_hash) == (len(DATA), None)
    assert found.download_as_bytes() == DATA


@check("GCS-341", source=f"{PARTS}: there is no object until the upload is completed")
def test_nothing_is_visible_before_the_end(
    bucket: Any, http: requests.Session, container: XMLMPUContainer, name: str, file: str
) -> None:
    """Parts make no object until the upload is completed."""
    send(container, http, file, 1, 0, 1000)
    assert not bucket.blob(name).exists()
    container.finalize(http)
    assert bucket.blob(name).download_as_bytes() == DATA[:1000]


@check("GCS-342", source=f"{PARTS}: abort")
def test_an_aborted_upload_leaves_nothing(
    bucket: Any, http: requests.Session, container: XMLMPUContainer, name: str, file: str
) -> None:
    """An upload that was aborted is gone: its parts cannot be completed."""
    send(container, http, file, 1, 0, 1000)
    container.cancel(http)
    with pytest.raises(InvalidResponse, match="404"):
        container.finalize(http)
    assert not bucket.blob(name).exists()


@check("GCS-343", source=f"{PARTS}: a part but the last has at least 5 MiB")
def test_a_small_part_is_the_last_one(http: requests.Session, container: XMLMPUContainer, file: str) -> None:
    """An upload with a part of less than 5 MiB before another one cannot be completed: 400 EntityTooSmall."""
    send(container, http, file, 1, 0, 1000)
    send(container, http, file, 2, 1000, 2000)
    with pytest.raises(InvalidResponse, match="400"):
        container.finalize(http)
