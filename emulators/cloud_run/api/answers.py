"""How does the Admin API answer? JSON in one write."""

from __future__ import annotations

import json

from starlette.responses import Response

from emulators.cloud_run.model.messages import Json


def answer(document: Json, code: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(document), code, media_type="application/json")
