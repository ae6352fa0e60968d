"""What stands before every call?  Who asks and may they, and what goes wrong on the way in and out."""

from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from emulators.boundaries.boundary import Boundary
from emulators.cloud_storage.access.bearers import Bearers
from emulators.cloud_storage.downloads import BrokenOff
from emulators.cloud_storage.failures import Reason, StorageError, of_fault
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.uploads.intake import Announcement
from emulators.errors import ApiError
from emulators.faults.gate import Dropped, FaultGate

Answer = Callable[[], Awaitable[Response]]
Take = Callable[[Announcement], Awaitable[Response]]

INSERT, COMPOSE = "storage.objects.insert", "storage.objects.compose"
_CREATE, _DELETE, _GET = "storage.objects.create", "storage.objects.delete", "storage.objects.get"

_OBJECT_PERMISSIONS = {
    "storage.objects.get": (_GET,),
    "storage.objects.patch": (_GET, "storage.objects.update"),
    "storage.objects.update": (_GET, "storage.objects.update"),
    "storage.objects.delete": (_DELETE,),
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
                raise _denied(method, bucket, name)
        return await self.go_on(method, bucket, name, answer)

    async def insert(self, request: Request, announced: Announcement, take: Take) -> Response:
        """Take an object if the token allows that; also at its end it replaces nothing that the token may not."""
        boundary = await self._bearers.boundary(request)
        bucket, name = announced.bucket, announced.name
        if boundary is not None and not boundary.allows(_CREATE, bucket, name):
            raise _denied(INSERT, bucket, name)
        if boundary is not None and not boundary.allows(_DELETE, bucket, name):
            announced = announced.creating_only()
        return await self.go_on(INSERT, bucket, name, lambda: take(announced))

    async def compose(
        self, request: Request, bucket: str, name: str, sources: Collection[str], answer: Answer
    ) -> Response:
        """Compose objects of the bucket if the token may read each of them and make the result."""
        boundary = await self._bearers.boundary(request)
        if boundary is not None:
            readable = all(boundary.allows(_GET, bucket, source) for source in sources)
            if not readable or not self._writable(boundary, bucket, name):
                raise _denied(COMPOSE, bucket, name)
        return await self.go_on(COMPOSE, bucket, name, answer)

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
        if method in _COPIES:
            taken = [_GET] + [_DELETE] * (method == _COPIES[-1])
            readable = all(boundary.allows(permission, bucket, name) for permission in taken)
            return readable and self._writable(boundary, *copy_to)
        if method in _BUCKET_PERMISSIONS:
            return boundary.allows(_BUCKET_PERMISSIONS[method], bucket, None, prefix)
        if method in _OBJECT_PERMISSIONS:
            needed = _OBJECT_PERMISSIONS[method]
            return all(boundary.allows(permission, bucket, name) for permission in needed)
        return False

    def _writable(self, boundary: Boundary, bucket: str, name: str) -> bool:
        """Whether an object may be made there; to replace one takes the right to delete it."""
        found = self._store.buckets.get(bucket)
        replaces = found is not None and name in found.objects
        needed = [_CREATE] + [_DELETE] * replaces
        return all(boundary.allows(permission, bucket, name) for permission in needed)


def _denied(method: str, bucket: str, name: str) -> StorageError:
    return StorageError(Reason.DENIED, f"The access token does not have {method} access to {bucket}/{name}.")
