"""Which service has nobody: judged by its name and the record that was read after it was listed."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.lifecycle.orphans import is_deletable, is_orphan
from shared.domain.names import service_name
from shared.domain.states import State
from shared.domain.workstation import Workstation
from tests.domain.builders_workstation import MICROSECOND, MINUTE, NOW, UID, a_service, a_workstation

SECOND = {"k": 2, "service_name": service_name(UID, 2)}


@pytest.mark.parametrize(
    ("name", "record", "orphan"),
    [
        pytest.param(service_name(UID, 1), None, True, id="no record at all"),
        pytest.param(service_name(UID, 2), SECOND, False, id="the one that the record names"),
        pytest.param(service_name(UID, 1), SECOND, True, id="an older one of the same life"),
        pytest.param(service_name(UID, 3), SECOND, False, id="a newer one than was read: being made"),
        pytest.param(service_name(UID, 2), {"k": 2, "service_name": None}, True, id="retired or deleted"),
        pytest.param(
            service_name(UID, 3), {"k": 2, "service_name": None}, False, id="retired, and woken since"
        ),
        pytest.param("a-stray-1", SECOND, True, id="a name that no life ever gives"),
        pytest.param(f"ws-{UID}-02", SECOND, True, id="nearly the name"),
        pytest.param(f"ws-{UID}-x", SECOND, True, id="no number"),
    ],
)
@pytest.mark.parametrize("state", sorted(State))
def test_an_orphan_is_a_service_that_no_record_names_or_will(
    name: str, record: dict[str, Any] | None, orphan: bool, state: State
) -> None:
    life = None if record is None else a_workstation(state, **record)
    service = a_service(a_workstation(service_name=name))

    assert is_orphan(service, life) is orphan


@pytest.mark.parametrize(
    ("ago", "deletable"),
    [
        pytest.param(None, False, id="not marked"),
        pytest.param(10 * MINUTE - MICROSECOND, False, id="not a microsecond early"),
        pytest.param(10 * MINUTE, True, id="after the grace"),
        pytest.param(-MINUTE, False, id="by a clock that is ahead"),
    ],
)
def test_two_sightings_lie_a_grace_apart(ago: timedelta | None, deletable: bool) -> None:
    workstation: Workstation = a_workstation()
    service = a_service(workstation, orphan_since=None if ago is None else NOW - ago)

    assert is_deletable(service, 10 * MINUTE, NOW) is deletable
