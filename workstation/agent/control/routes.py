"""Which calls does the control plane make? Each is authenticated and fenced by its epoch before anything else."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agent import clock
from agent.activity.cpu import Busy
from agent.backup.failures import WorkspaceError
from agent.control.backup_calls import encode_outcome, explain_failure, read_backup, read_upload
from agent.control.gate import State, refusal
from agent.control.identity import ControlPlane
from agent.control.instance import Instance, encode_report, encode_touch
from agent.errors import AgentError
from agent.fields import read_fields
from agent.workspace.grants import Backup

NDJSON = "application/x-ndjson"
LONGEST_HOLD = 3600.0
REPORT_SECONDS = 2.0

Call = Callable[[Request], Awaitable[Response]]


class ControlRoutes:
    """The control plane's routes over one instance."""

    def __init__(self, instance: Instance, control_plane: ControlPlane, end_work: Callable[[], None]) -> None:
        self._instance = instance
        self._control_plane = control_plane
        self._end_work = end_work
        self._loading = asyncio.Lock()
        self._files = self._bytes = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        calls = {
            "/-/load": self._load,
            "/-/save": self._save,
            "/-/quiesce": self._quiesce,
            "/-/resume": self._resume,
            "/-/hold": self._hold,
        }
        return [Route(path, self._fenced(call), methods=["POST"]) for path, call in calls.items()]

    def _fenced(self, call: Call) -> Call:
        async def fenced(request: Request) -> Response:
            epoch = await self._control_plane.epoch(request.headers.get("dormouse-authorization"))
            if not self._instance.is_meant(request.headers):
                raise AgentError(412, "another instance of this workstation was meant; it is gone")
            gate = self._instance.gate
            if not gate.accept(epoch):
                raise AgentError(403, f"epoch {epoch} is over: this workstation is in epoch {gate.epoch}")
            gate.progress(self._instance.thawed)
            return await call(request)

        return fenced

    async def _load(self, request: Request) -> Response:
        fields = await read_fields(request)
        backup = read_backup(fields)
        fields.close()
        instance = self._instance
        async with self._loading:  # a second caller waits for the first one's outcome
            if instance.state is State.EMPTY:
                await self._load_now(backup)
        return JSONResponse({**instance.identity(), "files": self._files, "bytes": self._bytes})

    async def _load_now(self, backup: Backup | None) -> None:
        gate, workspace = self._instance.gate, self._instance.workspace
        gate.begin_loading()
        loaded = False
        try:
            if backup is None:
                await workspace.begin()
            else:
                came = await workspace.load(backup)
                self._files, self._bytes = came.saved.files, came.total_bytes
            loaded = True
        except (WorkspaceError, OSError) as error:
            raise explain_failure(error, "loaded") from error
        finally:
            gate.end_loading(loaded=loaded)

    async def _save(self, request: Request) -> Response:
        fields = await read_fields(request)
        grant, known = read_upload(fields)
        fields.close()
        assert grant is not None, "close() refuses a request without one"
        instance = self._instance
        if instance.state not in (State.READY, State.QUIESCED):
            raise _conflict(f"the workspace is {instance.state}: there is nothing to save")
        instance.gate.work_begins()
        try:
            outcome = await instance.workspace.save(grant, known)
        except (WorkspaceError, OSError) as error:
            raise explain_failure(error, "saved") from error
        finally:
            instance.gate.work_ends(instance.thawed)
        return JSONResponse(encode_outcome(outcome))

    async def _quiesce(self, request: Request) -> Response:
        fields = await read_fields(request)
        idle_seconds = fields.number("idleSeconds", inclusive=True)
        force = fields.flag("force")
        reason = fields.text("reason")
        fields.close()
        if force and not reason:
            raise AgentError(400, "a forced quiesce needs a reason that the user can read")
        idle = None if idle_seconds is None else timedelta(seconds=idle_seconds)
        await self._instance.sampler.sample()
        refused = self._quiesce_now(idle, force=force)
        if refused is not None:
            return refused
        return await self._quiesced()

    def _quiesce_now(self, idle: timedelta | None, *, force: bool) -> Response | None:
        """Decide and do it in one step: nothing else runs between the look and the closing of the gate."""
        instance = self._instance
        state = instance.state
        if state is State.QUIESCED and not force:
            return None
        if state not in (State.READY, State.QUIESCED):
            raise _conflict(f"the workspace is {state}: there is nothing to quiesce", quiesced=False)
        report = instance.sampler.report()
        why = None if force else refusal(report, idle, clock.now())
        if why is not None:
            return JSONResponse({"quiesced": False, "reason": why, **encode_report(report)}, status_code=409)
        instance.gate.quiesce(instance.thawed)
        instance.connections.close_all()
        if force:
            self._end_work()
        return None

    async def _quiesced(self) -> Response:
        report = self._instance.sampler.report()
        dirty = await self._instance.workspace.dirty(fresh=True)
        return JSONResponse({"quiesced": True, "lastActivity": encode_touch(report.last), "dirty": dirty})

    async def _resume(self, request: Request) -> Response:
        (await read_fields(request)).close()
        instance = self._instance
        if instance.state not in (State.READY, State.QUIESCED):
            raise _conflict(f"the workspace is {instance.state}: load it first")
        instance.gate.resume()
        return JSONResponse(instance.identity())

    async def _hold(self, request: Request) -> Response:
        fields = await read_fields(request)
        seconds = fields.number("maxSeconds") or LONGEST_HOLD
        fields.close()
        if self._instance.state is not State.READY:
            raise _conflict(f"the workspace is {self._instance.state}: there is no work to hold for")
        return StreamingResponse(self._reports(min(seconds, LONGEST_HOLD)), media_type=NDJSON)

    async def _reports(self, seconds: float) -> AsyncIterator[str]:
        """Say what goes on until nothing does; the open request itself is what keeps the CPU."""
        instance = self._instance
        deadline = clock.monotonic() + seconds
        while True:
            await instance.sampler.sample()
            report = instance.sampler.report()
            yield json.dumps(encode_report(report)) + "\n"
            left = deadline - clock.monotonic()
            # A quiesce or a shutdown ends the hold: it would only delay them.
            if report.busy is Busy.NO or left <= 0 or instance.state is not State.READY or instance.stopping:
                return
            await asyncio.sleep(min(left, REPORT_SECONDS))


def _conflict(message: str, **extra: Any) -> AgentError:
    return AgentError(409, message, extra={"reason": message, **extra})
