"""Lists: prefixes, delimiters, offsets, globs and pages."""

from typing import Any

import pytest
import requests

from tests.conformance.check import check

_LIST = "storage/docs/json_api/v1/objects/list"
# The names of the page's own example.
NAMES = ["a/b", "a/c", "d", "e", "e/f", "e/g/h"]


@pytest.fixture(scope="module")
def root(bucket: Any) -> str:
    """A prefix under which the names above are."""
    for name in reversed(NAMES):
        bucket.blob(f"lists/{name}").upload_from_string("x", retry=None)
    return "lists/"


def _found(bucket: Any, root: str, **arguments: Any) -> tuple[list[str], list[str]]:
    """The names and the prefixes that a list gives, without the root."""
    listed = bucket.list_blobs(prefix=root + arguments.pop("prefix", ""), retry=None, **arguments)
    names = [blob.name.removeprefix(root) for blob in listed]
    return names, sorted(prefix.removeprefix(root) for prefix in listed.prefixes)


@check("GCS-051", source=f"{_LIST}: ordered lexicographically by name")
def test_lists_are_sorted(bucket: Any, root: str) -> None:
    """Objects are listed by name, whatever the order they were made in."""
    assert _found(bucket, root) == (NAMES, [])


@check("GCS-052", source=f"{_LIST}: its example with delimiter / and no prefix")
def test_a_delimiter_folds(bucket: Any, root: str) -> None:
    """With a delimiter, names that hold it after the prefix are folded into prefixes, each told once."""
    assert _found(bucket, root, delimiter="/") == (["d", "e"], ["a/", "e/"])


@check("GCS-053", source=f"{_LIST}: its example with delimiter / and prefix e/")
def test_a_folder_within(bucket: Any, root: str) -> None:
    """A prefix and a delimiter show one folder: its objects and its sub-folders."""
    assert _found(bucket, root, prefix="e/", delimiter="/") == (["e/f"], ["e/g/"])


@check("GCS-054", source=f"{_LIST}: startOffset inclusive, endOffset exclusive")
def test_offsets(bucket: Any, root: str) -> None:
    """startOffset is the first name that is listed, endOffset the first that is not."""
    found = _found(bucket, root, start_offset=f"{root}a/c", end_offset=f"{root}e/f")
    assert found == (["a/c", "d", "e"], [])


@check("GCS-055", source=f"{_LIST}: maxResults, the most items plus prefixes of a page; nextPageToken")
def test_pages(bucket: Any, root: str) -> None:
    """Pages of any size add up to the list, with no page longer than was asked for."""
    for size in (1, 2, 5):
        listed = bucket.list_blobs(prefix=root, page_size=size, retry=None)
        pages = [[blob.name.removeprefix(root) for blob in page] for page in listed.pages]
        assert [name for page in pages for name in page] == NAMES
        assert all(len(page) <= size for page in pages)


@check("GCS-056", source=f"{_LIST}: duplicate prefixes are omitted")
def test_a_prefix_is_told_on_one_page(bucket: Any, root: str, endpoint: str, http: requests.Session) -> None:
    """A prefix is told once, on one of the pages."""
    seen: list[str] = []
    query = {"prefix": root, "delimiter": "/", "maxResults": "1"}
    while True:
        page = http.get(f"{endpoint}/storage/v1/b/{bucket.name}/o", params=query).json()
        seen += page.get("prefixes", [])
        if "nextPageToken" not in page:
            break
        query["pageToken"] = page["nextPageToken"]
    assert seen == [f"{root}a/", f"{root}e/"]


@check("GCS-057", source=f"{_LIST}: includeTrailingDelimiter, in items in addition to prefixes")
def test_trailing_delimiters(bucket: Any, name: str) -> None:
    """An object whose name ends in the delimiter is listed besides its prefix when that is asked for."""
    for each in (f"{name}/folder/", f"{name}/folder/x"):
        bucket.blob(each).upload_from_string("x", retry=None)
    plain = _found(bucket, f"{name}/", delimiter="/")
    both = _found(bucket, f"{name}/", delimiter="/", include_trailing_delimiter=True)
    assert (plain, both) == (([], ["folder/"]), (["folder/"], ["folder/"]))


@check(
    "GCS-058", source="storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob: * and **"
)
def test_globs(bucket: Any, root: str) -> None:
    """In a glob * stays within a folder, ** does not."""
    assert _found(bucket, root, match_glob=f"{root}*")[0] == ["d", "e"]
    assert _found(bucket, root, match_glob=f"{root}**")[0] == NAMES
    assert _found(bucket, root, match_glob=f"{root}[ae]/?")[0] == ["a/b", "a/c", "e/f"]
    assert _found(bucket, root, match_glob=f"{root}{{d,e/*}}")[0] == ["d", "e/f"]


@check("GCS-059", source=f"{_LIST}: an empty result has no items")
def test_nothing(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """A list of nothing is an empty storage#objects without items, prefixes or a next page."""
    found = http.get(f"{endpoint}/storage/v1/b/{bucket.name}/o", params={"prefix": name}).json()
    assert found == {"kind": "storage#objects"}


@check("GCS-060", source="storage/docs/json_api/v1/status-codes: 404, notFound")
def test_a_bucket_that_is_not_there(bucket: Any, endpoint: str, http: requests.Session) -> None:
    """A list of a bucket that is not there is 404, not an empty one."""
    assert http.get(f"{endpoint}/storage/v1/b/{bucket.name}-none/o").status_code == 404


@check("GCS-061", source="storage/docs/json_api/v1/status-codes: 400, invalid")
def test_a_token_that_is_none(bucket: Any, endpoint: str, http: requests.Session) -> None:
    """A page token that no list gave is refused with 400."""
    answer = http.get(f"{endpoint}/storage/v1/b/{bucket.name}/o", params={"pageToken": "%%%"})
    assert answer.status_code == 400


@check("GCS-062", source=f"{_LIST}: prefix is a filter by the beginning of the name")
def test_a_prefix_need_not_be_a_folder(bucket: Any, root: str) -> None:
    """A prefix may end within a name."""
    assert _found(bucket, root, prefix="e/g") == (["e/g/h"], [])
