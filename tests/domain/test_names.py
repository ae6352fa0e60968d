"""Names that no two users, projects or lives share."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidArgument
from shared.domain.names import (
    SHARDS,
    Owner,
    audience,
    project_key,
    service_name,
    shard_of,
    uid_from,
    workstation_id,
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
KEYS = st.tuples(TEXT, TEXT, TEXT)


@given(KEYS)
def test_ids_have_one_form_and_carry_no_user_text(key: tuple[str, str, str]) -> None:
    owner, project, name = key

    assert re.fullmatch(r"ws-[a-z2-7]{20}", workstation_id(Owner(owner), project, name))
    assert re.fullmatch(r"pr-[a-z2-7]{20}", project_key(Owner(owner), project))


@given(KEYS, KEYS)
def test_two_workstations_never_meet_and_two_provisions_of_one_do(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    same = workstation_id(Owner(one[0]), *one[1:]) == workstation_id(Owner(other[0]), *other[1:])

    assert same is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "bc", "d"), ("ab", "c", "d"), id="a letter moves from project to owner"),
        pytest.param(("a", "b", "cd"), ("a", "bc", "d"), id="a letter moves from name to project"),
        pytest.param(("", "a", ""), ("a", "", ""), id="empty parts"),
        pytest.param(("a", "B", "c"), ("a", "b", "c"), id="letter case"),
    ],
)
def test_moving_the_borders_between_the_parts_makes_another_id(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert workstation_id(Owner(one[0]), *one[1:]) != workstation_id(Owner(other[0]), *other[1:])


@pytest.mark.parametrize(
    "parts", [("a\0b", "c", "d"), ("a", "b\0c", "d"), ("a", "b", "c\0d")], ids=["owner", "project", "name"]
)
def test_the_separator_itself_is_refused_in_every_part(parts: tuple[str, str, str]) -> None:
    """("a", "b NUL c", "d") and ("a", "b", "c NUL d") would meet."""
    with pytest.raises(InvalidArgument):
        workstation_id(Owner(parts[0]), *parts[1:])


@given(TEXT, TEXT)
def test_a_workstation_and_a_project_never_share_an_id(owner: str, project: str) -> None:
    assert project_key(Owner(owner), project)[3:] != workstation_id(Owner(owner), project, "")[3:]


@given(st.binary(min_size=13, max_size=13), st.integers(1, 10**6))
def test_services_and_audiences_are_named_by_life_and_number(entropy: bytes, k: int) -> None:
    uid = uid_from(entropy)

    assert re.fullmatch(r"[a-z2-7]{20}", uid)
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,48}", service_name(uid, k))
    assert service_name(uid, k) != service_name(uid, k + 1)
    assert audience(service_name(uid, k), 7) == f"dormouse://ws-{uid}-{k}/epochs/7"


def test_shards_are_all_used_about_evenly() -> None:
    counts = [0] * SHARDS
    for n in range(1600):
        counts[shard_of(f"ws-{n}")] += 1

    assert min(counts) > 60
    assert max(counts) < 150
