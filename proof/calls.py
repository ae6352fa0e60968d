"""Which calls does a story surely make, and how often at least? Measured by rounds without a kill; here to be drawn from."""

from collections import Counter
from collections.abc import Mapping

from proof.cast import Shape, Victim

CALLERS = ("api", "sweep", "cleanup", "gateway")
"""They are killed at calls of their own, everybody else at anybody's."""

Calls = Mapping[str, int]
"""How often, by name."""

_BEGINNING: Calls = {
    "BatchGetDocuments": 40,
    "Commit created": 1,
    "Commit provisioned": 1,
    "Commit started": 1,
    "Commit amend": 2,
    "services.create": 1,
    "services.get": 6,
    "services.patch": 1,
    "identity token": 2,
}
_SAVE: Calls = {
    "signBlob": 1,
    "upload by the agent": 1,
    "objects.get": 1,
    "objects.download": 1,
    "objects.list": 1,
    "Commit saved": 1,
}
_STOP: Calls = {**_SAVE, "Commit stop_begun": 1, "services.patch": 1, "services.get": 2}
_WAKE: Calls = {
    "Commit woken": 1,
    "services.patch": 1,
    "signBlob": 1,
    "download by the agent": 1,
    "Commit started": 1,
    "services.get": 3,
}
_DELETE: Calls = {"Commit delete_begun": 1, "services.delete": 1, "services.get": 1}
_API: Mapping[Shape, tuple[Calls, ...]] = {
    Shape.STOP_AND_WAKE: (_BEGINNING, _STOP, _WAKE, _STOP),
    Shape.GO_AWAY: (_BEGINNING,),
    Shape.CHANGE_OF_MIND: (_BEGINNING, _STOP, _STOP),
    Shape.DELETE_RUNNING: (_BEGINNING, _SAVE, _DELETE),
    Shape.DELETE_STOPPED: (_BEGINNING, _STOP, _DELETE),
    Shape.PURGE_RUNNING: (_BEGINNING, _SAVE, _DELETE),
}
_SWEEPING: Calls = {"RunQuery": 12, "services.get": 1, "BatchGetDocuments": 4}
_REST: Calls = {
    **_SAVE,
    "Commit idled": 1,
    "Commit stop_begun": 1,
    "services.patch": 1,
    "services.get": 5,
    "Commit stopped": 1,
}
_SWEEP: Mapping[Shape, tuple[Calls, ...]] = {
    Shape.STOP_AND_WAKE: (_SWEEPING, {"Commit stopped": 2}),
    Shape.GO_AWAY: (_SWEEPING, _REST, _REST),
    Shape.CHANGE_OF_MIND: (_SWEEPING, {"Commit stopped": 2, "Commit woken": 1}),
    Shape.DELETE_RUNNING: (_SWEEPING,),
    Shape.DELETE_STOPPED: (_SWEEPING, {"Commit stopped": 1}),
    Shape.PURGE_RUNNING: (_SWEEPING,),
}
_ONCE_IT_RUNS = frozenset(
    [*_SAVE, "Commit started", "Commit stop_begun", "Commit idled", "Commit delete_begun", "services.delete"]
)
"""Calls at which there surely is an instance."""
_GATEWAY: Calls = {"BatchGetDocuments": 10, "Commit amend": 1, "identity token": 1}
_VISIT: Calls = {"Commit woken": 1, "services.get": 3, "services.patch": 1, "download by the agent": 1}
_CLEANUP: Calls = {"services.list": 1}


def calls(victim: Victim, shape: Shape) -> Calls:
    """What it may be killed at in a story of this shape."""
    api, sweep = _sum(*_API[shape]), _sum(*_SWEEP[shape])
    gateway = _sum(_GATEWAY, _VISIT) if shape is Shape.GO_AWAY else _GATEWAY
    own = {"api": api, "sweep": sweep, "gateway": gateway, "cleanup": _CLEANUP}
    if victim.component in own:
        return own[victim.component]
    anybody = _sum(api, sweep, gateway)
    if victim is Victim.CLOUD_RUN:
        return {name: count for name, count in anybody.items() if name.startswith("services.")}
    if victim is Victim.CLOUD_STORAGE:
        return {
            name: count for name, count in anybody.items() if "agent" in name or "objects." in name
        } or _SWEEPING
    if victim is Victim.INSTANCE:
        return {name: count for name, count in anybody.items() if name in _ONCE_IT_RUNS}
    if victim is Victim.IDENTITY:
        return {name: count for name, count in anybody.items() if name in ("signBlob", "identity token")}
    return anybody


def _sum(*parts: Calls) -> Calls:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)
