"""The API's one route table."""

from starlette.types import ASGIApp

from functions.api import meta, money, operations, workstations
from functions.http.application import application
from functions.http.openapi import document_route
from shared.wiring import app

_ROUTES = (*workstations.ROUTES, *operations.ROUTES, *money.ROUTES, *meta.ROUTES)

ROUTES = (*_ROUTES, document_route("Dormouse", meta.VERSION, _ROUTES))


def build() -> ASGIApp:
    return application(ROUTES, app)
