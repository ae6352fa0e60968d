"""What is a conformance check? A test of something that Google says of its service, named, with where it is said.

Its docstring is the claim in one sentence. What no source says, and so only Google itself could confirm, is assumed.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

_Test = TypeVar("_Test", bound=Callable[..., Any])


def check(name: str, *, source: str, assumed: bool = False) -> Callable[[_Test], _Test]:
    """Name a test `RUN-012`, `GCS-034` or `JOB-007`; `source` is a page, a proto or an issue that says so."""

    def mark(test: _Test) -> _Test:
        marked: _Test = pytest.mark.conformance(name=name, source=source, assumed=assumed)(test)
        return marked

    return mark
