"""Hypothesis strategies that fill every field of a record, also those that have a default."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import NoneType
from typing import Any, NewType, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    # Up to what a wish may ask for, and well beyond; Firestore keeps microseconds in 64 bits.
    timedelta: st.timedeltas(timedelta(0), timedelta(days=3650)),
    NoneType: st.none(),
}
_KEYS = st.text("abcdefghij0123456789-", min_size=1, max_size=10)


def whole(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, however deep."""
    if isinstance(hint, NewType):
        return whole(hint.__supertype__)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        builder: Any = hint
        return st.builds(builder, **{field.name: whole(hints[field.name]) for field in fields(hint)})
    if get_origin(hint) is tuple:
        return st.lists(whole(get_args(hint)[0]), max_size=2).map(tuple)
    if get_origin(hint) is Mapping:
        return st.dictionaries(_KEYS, whole(get_args(hint)[1]), max_size=3)
    if get_args(hint):
        return st.one_of(*map(whole, get_args(hint)))
    return st.sampled_from(hint) if issubclass(hint, Enum) else _SCALARS[hint]
