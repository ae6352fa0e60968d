"""How the checks call, and what they say where Google says it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google.api_core.exceptions import BadRequest, InvalidArgument

ONCE = {"retry": None, "timeout": 60}
"""The clients repeat what fails for up to ten minutes; a check wants the first answer."""

PROTO = "google/cloud/scheduler/v1"
CRON = "scheduler/docs/configuring/cron-job-schedules"
RETRIES = "scheduler/docs/configuring/retry-jobs"
ISSUES = "github.com"


@contextmanager
def refused(*fields: str, saying: str = "") -> Iterator[None]:
    """INVALID_ARGUMENT, which names the fields."""
    with pytest.raises(BadRequest) as refusal:
        yield
    # Over REST the library knows the status alone, and makes the wider class of it.
    assert isinstance(refusal.value, InvalidArgument) or refusal.value.code == 400
    text = f"{refusal.value.message} {refusal.value.details}"
    for said in (*fields, saying):
        assert said in text
