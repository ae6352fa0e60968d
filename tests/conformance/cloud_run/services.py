"""How the checks speak to the Admin API: the stock client, and a refusal read alike from REST and gRPC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.cloud import run_v2
from google.rpc import error_details_pb2

GOOGLES_IMAGE = "us-docker.pkg.dev/cloudrun/container/hello"
POLLING = DEFAULT_POLLING.with_delay(initial=0.02, maximum=1, multiplier=1.5).with_timeout(300)
MODE = run_v2.ServiceScaling.ScalingMode
_PATIENCE_SECONDS = 60
_VIOLATION = "Violation in "


@dataclass(frozen=True)
class Refusal:
    """What a call was answered with: the canonical code's name, the message, the paths of the bad fields."""

    code: str
    message: str
    fields: list[str] = field(default_factory=list)

    def names(self, *paths: str) -> bool:
        """Whether these fields are told, and no others where they are listed.

        The last part of a path counts: Google has been seen to write the way to it in more than one manner.
        """
        told = all(path.rpartition(".")[2].partition("[")[0] in self.message for path in paths)
        return told and len(self.fields) in (0, len(paths))


@dataclass(frozen=True)
class Services:
    """The services of one project and location."""

    client: run_v2.ServicesClient
    parent: str
    image: str

    def name(self, service_id: str) -> str:
        """The full name of a service."""
        return f"{self.parent}/services/{service_id}"

    def draft(self, container: dict[str, Any] | None = None, **fields: Any) -> run_v2.Service:
        """A service at MANUAL 0, which starts nothing; `template__timeout=...` reaches into the template."""
        within = {name.removeprefix("template__"): fields.pop(name) for name in list(fields) if "__" in name}
        template = {"containers": [{"image": self.image, **(container or {})}], **within}
        return run_v2.Service(
            {
                "scaling": {"scaling_mode": "MANUAL", "manual_instance_count": 0},
                "template": template,
                **fields,
            }
        )

    def create(self, service_id: str, service: run_v2.Service | None = None) -> run_v2.Service:
        """Create and wait until it is ready."""
        return self.begin_create(service_id, service).result(polling=POLLING)

    def begin_create(self, service_id: str, service: run_v2.Service | None = None, **options: Any) -> Any:
        """The operation of a create."""
        made = self.draft() if service is None else service
        request = run_v2.CreateServiceRequest(
            parent=self.parent, service_id=service_id, service=made, **options
        )
        return self.client.create_service(request=request, retry=None, timeout=_PATIENCE_SECONDS)

    def update(self, service_id: str, *paths: str, **fields: Any) -> run_v2.Service:
        """Change the masked fields, or without a mask all of them, and wait until it is ready."""
        service = run_v2.Service({"name": self.name(service_id), **fields})
        mask = {"paths": list(paths)} if paths else None
        request = run_v2.UpdateServiceRequest(service=service, update_mask=mask)
        return self.put(request)

    def put(self, request: run_v2.UpdateServiceRequest) -> run_v2.Service:
        """An update as it is given, done."""
        operation = self.client.update_service(request=request, retry=None, timeout=_PATIENCE_SECONDS)
        return operation.result(polling=POLLING)

    def accepts(self, service_id: str, service: run_v2.Service) -> bool:
        """Whether a create would be carried out; nothing is."""
        self.begin_create(service_id, service, validate_only=True)
        return True

    def refuses(self, service_id: str, service: run_v2.Service) -> Refusal:
        """Why a create is not carried out."""
        return refused(lambda: self.begin_create(service_id, service))

    def get(self, service_id: str) -> run_v2.Service:
        """A service as it is now."""
        return self.client.get_service(name=self.name(service_id), retry=None, timeout=_PATIENCE_SECONDS)

    def forget(self, service_id: str) -> None:
        """Delete a service that may be there."""
        try:
            operation = self.client.delete_service(
                name=self.name(service_id), retry=None, timeout=_PATIENCE_SECONDS
            )
        except exceptions.NotFound:
            return
        operation.result(polling=POLLING)


def refused(call: Callable[[], Any]) -> Refusal:
    """The refusal of a call that must not succeed."""
    with pytest.raises(exceptions.GoogleAPICallError) as caught:
        call()
    error = caught.value
    return Refusal(_code(error), error.message, _fields(error))


def _code(error: exceptions.GoogleAPICallError) -> str:
    if isinstance(error.response, requests.Response):
        return str(error.response.json()["error"]["status"])
    return str(error.grpc_status_code.name)


def _fields(error: exceptions.GoogleAPICallError) -> list[str]:
    """The paths below the request's message, such as `template.timeout`."""
    found = []
    for detail in error.details or ():
        if isinstance(detail, error_details_pb2.BadRequest):
            found += [violation.field for violation in detail.field_violations]
        elif isinstance(detail, dict):
            found += [violation["field"] for violation in detail.get("fieldViolations", ())]
    return [
        name.rpartition(": ")[2].removeprefix(_VIOLATION).partition("Request.")[2] or name for name in found
    ]
