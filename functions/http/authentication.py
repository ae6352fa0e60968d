"""Who calls? By the route's access and the Authorization header alone; whose things they touch is for the use case."""

from functions.http.routes import Access
from shared.domain.errors import PermissionDenied, Unauthenticated
from shared.ports import Caller
from shared.wiring import App


def authenticate(access: Access, authorization: str, app: App) -> Caller | None:
    """The signed-in user; None on public routes and for service accounts. Raises Unauthenticated, PermissionDenied."""
    match access:
        case Access.PUBLIC:
            return None
        case Access.USER:
            return app.identity.verify(_bearer(authorization))
        case Access.SCHEDULER:
            email = app.service_identity.verify(_bearer(authorization), app.settings.self_audience)
            if email != app.settings.accounts.scheduler:
                raise PermissionDenied("This route is the scheduler's alone.", "NOT_THE_SCHEDULER")
            return None
        case Access.CONTROLLER:
            email = app.service_identity.verify(_bearer(authorization), app.settings.gateway_url)
            if email not in app.settings.accounts.controllers:
                raise PermissionDenied("This route is the control plane's alone.", "NOT_A_CONTROLLER")
            return None


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send your ID token as `Authorization: Bearer TOKEN`.", "TOKEN_MISSING")
    return token.strip()
