"""Workstations: create, get, list, delete, and the verbs that make them run and rest."""

from collections.abc import Callable
from datetime import timedelta

from functions.api import encoding, wire
from functions.api.operations import rehearse, respond
from functions.api.paging import Pager
from functions.http.routes import Access, Answer, Incoming, Route
from shared.domain.budget import User
from shared.domain.catalog import Wish
from shared.domain.names import WorkstationId
from shared.domain.operations import Operation, Verb
from shared.domain.workstation import Workstation
from shared.usecases import asking, delete, provision, rehearsal, stop, touch, wake
from shared.usecases.asking import Asker
from shared.usecases.deps import Deps
from shared.usecases.requests import Call

MOST_IN_PAGE = 1000
DEFAULT_IN_PAGE = 50


async def create(incoming: Incoming) -> Answer:
    wish, asker = _wish(incoming.body), _asker(incoming, Verb.CREATE)
    if incoming.query.validate_only:
        return await rehearse(
            incoming, Verb.CREATE, lambda deps: provision.rehearse_provision(deps, asker, wish)
        )
    return await respond(incoming, lambda deps: provision.provision(deps, asker, wish), patience=0)


def get(incoming: Incoming) -> Answer:
    snapshot = asking.describe(incoming.app.deps, incoming.user.owner, _id(incoming))
    shown = _shown(incoming, snapshot.workstation.value, snapshot.user.value)
    return Answer(shown, etag=shown.etag)


def list_(incoming: Incoming) -> Answer:
    deps, query = incoming.app.deps, incoming.query
    pager = Pager(incoming.app.settings.page_token_key, incoming.user.owner, query.project)
    limit = min(query.page_size or DEFAULT_IN_PAGE, MOST_IN_PAGE)
    after = pager.read(query.page_token)
    page = asking.list_of(deps, incoming.user.owner, query.project or None, limit, after)
    user = deps.records.user(incoming.user.owner).value
    shown = [_shown(incoming, item, user) for item in page.items]
    return Answer(wire.WorkstationList(workstations=shown, next_page_token=pager.write(page.after)))


async def wake_(incoming: Incoming) -> Answer:
    return await _verb(incoming, Verb.WAKE, wake.wake, encoding.seconds(incoming.query.timeout))


async def stop_(incoming: Incoming) -> Answer:
    return await _verb(incoming, Verb.STOP, stop.stop, patience=0)


async def delete_(incoming: Incoming) -> Answer:
    purge = incoming.query.purge

    def deleting(deps: Deps, asker: Asker, id_: WorkstationId) -> Operation:
        return delete.delete(deps, asker, id_, purge=purge)

    return await _verb(incoming, Verb.DELETE, deleting, patience=0)


def keep_alive(incoming: Incoming) -> Answer:
    deps, asker = incoming.app.deps, _asker(incoming, "keepAlive")
    touched = touch.keep_alive(deps, asker, _id(incoming))
    return Answer(_shown(incoming, touched, deps.records.user(asker.owner).value))


def events(incoming: Incoming) -> Answer:
    found, whole = asking.log_of(incoming.app.deps, incoming.user.owner, _id(incoming))
    return Answer(encoding.events(found, whole))


async def _verb(
    incoming: Incoming, verb: Verb, act: Callable[[Deps, Asker, WorkstationId], Operation], patience: float
) -> Answer:
    asker, id_ = _asker(incoming, verb), _id(incoming)
    if incoming.query.validate_only:
        return await rehearse(incoming, verb, lambda deps: rehearsal.rehearse(deps, asker, id_, verb))
    return await respond(incoming, lambda deps: act(deps, asker, id_), patience)


def _shown(incoming: Incoming, value: Workstation, user: User) -> wire.Workstation:
    deps = incoming.app.deps
    return encoding.workstation(value, user, deps.policy, deps.clock.now(), incoming.app.settings.gateway_url)


def _id(incoming: Incoming) -> WorkstationId:
    return WorkstationId(incoming.path["workstation"])


def _asker(incoming: Incoming, deed: str) -> Asker:
    owner = incoming.user.owner
    purging = b"purge" if getattr(incoming.query, "purge", False) else b""
    call = Call(
        owner=owner,
        route=f"{deed} {incoming.path.get('workstation', '')}",
        request_id=getattr(incoming.query, "request_id", ""),
        body=incoming.raw_body + purging,
    )
    return Asker(
        owner=owner,
        call=call,
        etag=getattr(incoming.query, "etag", "") or incoming.if_match,
        request_id=incoming.request_id,
    )


def _wish(body: wire.NewWorkstation) -> Wish:
    return Wish(
        project=body.project,
        name=body.name,
        template=body.template,
        size=body.size,
        cpu=body.cpu,
        memory=body.memory,
        priority=body.priority.lower(),
        env=body.env,
        idle_timeout=_timedelta(body.idle_timeout),
        stop_timeout=_timedelta(body.stop_timeout),
    )


def _timedelta(text: str | None) -> timedelta | None:
    return timedelta(seconds=encoding.seconds(text)) if text else None


_ALL = "/v1/workstations"
_ONE = "/v1/workstations/{workstation}"
_USER = Access.USER

ROUTES = (
    Route(
        "POST",
        _ALL,
        create,
        _USER,
        "Provision a workstation and start it.",
        wire.Operation,
        query=wire.CreateQuery,
        body=wire.NewWorkstation,
    ),
    Route("GET", _ALL, list_, _USER, "Your workstations.", wire.WorkstationList, wire.ListQuery),
    Route(
        "POST", _ONE + ":wake", wake_, _USER, "Make it run; waits up to 25 s.", wire.Operation, wire.VerbQuery
    ),
    Route("POST", _ONE + ":start", wake_, _USER, "The same as :wake.", wire.Operation, wire.VerbQuery),
    Route("POST", _ONE + ":stop", stop_, _USER, "Save it and stop it.", wire.Operation, wire.VerbQuery),
    Route("POST", _ONE + ":keepAlive", keep_alive, _USER, "Somebody is there.", wire.Workstation),
    Route("GET", _ONE + "/events", events, _USER, "Its audit log.", wire.EventList),
    Route("GET", _ONE, get, _USER, "One workstation.", wire.Workstation),
    Route(
        "DELETE", _ONE, delete_, _USER, "Save it and delete its service.", wire.Operation, wire.DeleteQuery
    ),
)
