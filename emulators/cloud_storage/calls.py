"""What stands before every call?  Who asks and may they, and what goes wrong on the way in and out."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from emulators.boundaries.boundary import Boundary
from emulators.cloud_storage.bearers import Bearers
from emulators.cloud_storage.downloads import BrokenOff
from emulators.cloud_storage.failures import Reason, StorageError, of_fault
from emulators.cloud_storage.store import Store
from emulators.errors import ApiError
from emulators.faults.gate import Dropped, FaultGate

Answer = Callable[[], Awaitable[Response]]

_OBJECT_PERMISSIONS = {
    "storage.objects.get": ("storage.objects.get",),
    "storage.objects.patch": ("storage.objects.get", "storage.objects.update"),
    "storage.objects.update": ("storage.objects.get", "storage.objects.update"),
    "storage.objects.delete": ("storage.objects.delete",),
}
_BUCKET_PERMISSIONS = {
    "storage.buckets.get": "storage.buckets.get",
    "storage.buckets.patch": "storage.buckets.update",
    "storage.buckets.update": "storage.buckets.update",
    "storage.objects.list": "storage.objects.list",
}
_COPIES = ("storage.objects.rewrite", "storage.objects.copy", "storage.objects.move")


class Calls:
    """The way to every method of the API, named as in its discovery document: ``storage.objects.insert``."""

    def __init__(self, store: Store, gate: FaultGate, bearers: Bearers) -> None:
        self._store = store
        self._gate = gate
        self._bearers = bearers

    async def make(
        self, request: Request, method: str, bucket: str, name: str, answer: Answer, *copy_to: str
    ) -> Response:
        """Make the call if its token allows that; `copy_to` is the bucket and name of what a copy makes."""
        boundary = await self._bearers.boundary(request)
        if boundary is not None:
            prefix = request.query_params.get("prefix", "")
            if not self._allowed(boundary, method, bucket, name, prefix, copy_to):
                message = f"The access token does not have {method} access to {bucket}/{name}."
                raise StorageError(Reason.DENIED, message)
        return await self.go_on(method, bucket, name, answer)

    async def go_on(self, method: str, bucket: str, name: str, answer: Answer) -> Response:
        """Make a call that is allowed by something else: a signature, or the address of an upload."""
        made: list[Response] = []

        async def call() -> Response:
            made.append(await answer())
            return made[0]

        resource = f"{bucket}/{name}" if name else bucket
        try:
            return await self._gate.around(method, resource, call)
        except ApiError as error:
            raise of_fault(error) from error
        except Dropped:
            if made and isinstance(made[0], StreamingResponse):
                return BrokenOff(made[0])
            raise

    def _allowed(
        self,
        boundary: Boundary,
        method: str,
        bucket: str,
        name: str,
        prefix: str,
        copy_to: tuple[str, ...],
    ) -> bool:
        if method == "storage.objects.insert":
            return self._writable(boundary, bucket, name)
        if method in _COPIES:
            taken = ["storage.objects.get"] + ["storage.objects.delete"] * (method == _COPIES[-1])
            readable = all(boundary.allows(permission, bucket, name) for permission in taken)
            return readable and self._writable(boundary, *copy_to)
        if method in _BUCKET_PERMISSIONS:
            return boundary.allows(_BUCKET_PERMISSIONS[method], bucket, None, prefix)
        if method in _OBJECT_PERMISSIONS:
            needed = _OBJECT_PERMISSIONS[method]
            return all(boundary.allows(permission, bucket, name) for permission in needed)
        if method == "storage.objects.compose":
            raise StorageError(Reason.UNSUPPORTED, "This emulator does not compose for downscoped tokens.")
        return False

    def _writable(self, boundary: Boundary, bucket: str, name: str) -> bool:
        """Whether an object may be made there; to replace one takes the right to delete it."""
        found = self._store.buckets.get(bucket)
        replaces = found is not None and name in found.objects
        needed = ["storage.objects.create"] + ["storage.objects.delete"] * replaces
        return all(boundary.allows(permission, bucket, name) for permission in needed)
