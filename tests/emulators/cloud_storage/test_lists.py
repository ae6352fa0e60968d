"""Lists of objects: prefixes, delimiters, offsets and pages, against a plain model."""

from typing import Any

import httpx2
import pytest
from google.cloud import storage
from hypothesis import given
from hypothesis import strategies as st

from emulators.cloud_storage.kept.listing import ListRequest, list_keys

NAMES = ["a", "a-b", "a/", "a/1", "a/2/x", "a/2/y", "a0", "b/1", "c", "é", "💤"]


@pytest.fixture(scope="module")
def filled(client: storage.Client) -> storage.Bucket:
    """A bucket with the names above, made in another order."""
    bucket = client.create_bucket("filled", retry=None)
    for name in reversed(NAMES):
        bucket.blob(name).upload_from_string("x", retry=None)
    return bucket


@pytest.mark.parametrize(
    ("arguments", "names", "prefixes"),
    [
        ({}, NAMES, set()),
        ({"prefix": "a/"}, ["a/", "a/1", "a/2/x", "a/2/y"], set()),
        ({"delimiter": "/"}, ["a", "a-b", "a0", "c", "é", "💤"], {"a/", "b/"}),
        ({"prefix": "a/", "delimiter": "/"}, ["a/", "a/1"], {"a/2/"}),
        ({"start_offset": "a/2/y", "end_offset": "c"}, ["a/2/y", "a0", "b/1"], set()),
        ({"prefix": "zzz"}, [], set()),
    ],
)
@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_a_list_is_sorted_folded_and_whole_whatever_the_page_size(
    filled: Any, arguments: dict[str, str], names: list[str], prefixes: set[str], page_size: int
) -> None:
    found = filled.list_blobs(page_size=page_size, retry=None, **arguments)
    pages = [[blob.name for blob in page] for page in found.pages]
    assert [name for page in pages for name in page] == names
    assert found.prefixes == prefixes
    assert all(len(page) <= page_size for page in pages)


def test_a_page_names_the_next_one(filled: Any, endpoint: str) -> None:
    url = f"{endpoint}/storage/v1/b/{filled.name}/o"
    first = httpx2.get(url, params={"maxResults": 10}, trust_env=False).json()
    token = first["nextPageToken"]
    second = httpx2.get(url, params={"maxResults": 10, "pageToken": token}, trust_env=False).json()
    assert [item["name"] for item in first["items"] + second["items"]] == NAMES
    assert "nextPageToken" not in second


@pytest.mark.parametrize("params", [{"pageToken": "%%%"}, {"maxResults": "many"}, {"maxResults": "-1"}])
def test_a_bad_page_is_refused(bucket: Any, endpoint: str, params: dict[str, str]) -> None:
    answer = httpx2.get(f"{endpoint}/storage/v1/b/{bucket.name}/o", params=params, trust_env=False)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("a*", ["a", "a-b", "a0"]),
        ("a**", ["a", "a-b", "a/", "a/1", "a/2/x", "a/2/y", "a0"]),
        ("**/x", ["a/2/x"]),
        ("?", ["a", "c", "é", "💤"]),
        ("[!a-c]", ["é", "💤"]),
        ("{a,b}/*", ["a/", "a/1", "b/1"]),
        ("a.b", []),
    ],
)
def test_a_glob_chooses(filled: Any, glob: str, names: list[str]) -> None:
    for page_size in (1, 1000):
        found = filled.list_blobs(match_glob=glob, page_size=page_size, retry=None)
        assert [blob.name for blob in found] == names


def test_names_that_end_in_the_delimiter_are_shown_besides_their_prefix(filled: Any) -> None:
    found = filled.list_blobs(delimiter="/", include_trailing_delimiter=True, page_size=2, retry=None)
    assert [blob.name for blob in found] == ["a", "a-b", "a/", "a0", "c", "é", "💤"]
    assert found.prefixes == {"a/", "b/"}


def test_only_the_fields_that_are_asked_for_come(filled: Any, endpoint: str) -> None:
    url = f"{endpoint}/storage/v1/b/{filled.name}/o"
    asked = {"fields": "items(name,size),nextPageToken", "maxResults": 1}
    page = httpx2.get(url, params=asked, trust_env=False).json()
    assert page["items"] == [{"name": "a", "size": "1"}]
    assert page.keys() == {"items", "nextPageToken"}
    assert httpx2.get(url, params={"fields": "items(name"}, trust_env=False).status_code == 400


def test_ten_thousand_objects_are_listed_in_pages_that_cost_what_they_show() -> None:
    """Whatever is folded away is passed over, not looked at."""
    keys = [(f"{folder:03d}/{number:04d}", 1) for folder in range(100) for number in range(1000)]
    counted = Counting(keys)
    page = list_keys(counted, ListRequest(delimiter="/", limit=1000))
    assert len(page.prefixes) == 100
    assert counted.looks < 100 * 40
    counted.looks = 0
    assert len(list_keys(counted, ListRequest(prefix="050/", limit=10)).keys) == 10
    assert counted.looks < 200


class Counting(list[tuple[str, int]]):
    """A list that counts how often somebody looks."""

    looks = 0

    def __getitem__(self, index: Any) -> Any:
        self.looks += 1
        return super().__getitem__(index)


TEXT = st.text(alphabet="ab/-é", min_size=1, max_size=5)


@given(
    names=st.sets(TEXT, max_size=30),
    prefix=st.text(alphabet="ab/", max_size=2),
    delimiter=st.sampled_from(["", "/", "-"]),
    start=st.text(alphabet="ab/", max_size=2),
    limit=st.integers(1, 4),
)
def test_pages_add_up_to_the_list_that_a_model_gives(
    names: set[str], prefix: str, delimiter: str, start: str, limit: int
) -> None:
    """For any names: nothing twice, nothing missing, no page too long."""
    expected_names, expected_prefixes = [], set()
    for name in sorted(name for name in names if name.startswith(prefix) and name >= start):
        head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        if found:
            expected_prefixes.add(prefix + head + delimiter)
        else:
            expected_names.append(name)
    got_names, got_prefixes, at = [], [], ("", 0)
    keys = [(name, generation) for name in sorted(names) for generation in (1, 2)]
    while True:
        page = list_keys(keys, ListRequest(prefix, delimiter, start, None, at, limit))
        assert len(page) <= limit
        got_names += [name for name, generation in page.keys if generation == 1]
        got_prefixes += page.prefixes
        if page.next_at is None:
            break
        at = page.next_at
    assert got_names == expected_names
    assert got_prefixes == sorted(expected_prefixes)
