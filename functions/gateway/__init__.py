"""The gateway: the one way from outside to a workstation. Served by uvicorn: `uvicorn functions.gateway:app`."""

from functions.gateway.application import build
from shared.wiring import app as app_of_this_process

app = build(app_of_this_process)
