"""A gateway as it is deployed, over records and services in memory, before workstations that are real agent processes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from emulators.stack.tokens import mint
from functions.gateway.application import build
from shared.adapters.agent.client import AgentClient
from shared.adapters.agent.tokens import CachedTokens
from shared.adapters.firebase_auth import FirebaseIdentity
from shared.adapters.gateway import GatewayHolds
from shared.adapters.google_oidc import GoogleServiceIdentity
from shared.adapters.memory.backups import MemoryBackups
from shared.adapters.memory.entropy import SeededEntropy
from shared.adapters.memory.records import MemoryRecords
from shared.adapters.memory.services import MemoryServices
from shared.adapters.system import SystemClock
from shared.config import Settings
from shared.domain.catalog import Template, Wish
from shared.domain.facts import Origin
from shared.domain.names import Owner, WorkstationId
from shared.domain.observed import Scaling, ServiceView
from shared.domain.states import State
from shared.domain.workstation import Workstation
from shared.ports import Batch, Stored
from shared.usecases import converge, provision, stop
from shared.usecases.asking import Asker
from shared.usecases.deps import Deps
from shared.usecases.requests import Call
from shared.wiring import App
from tests.agent.driver import Signer, eventually, free_port

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "demo-dormouse"
GATEWAY, SWEEP, STRANGER = (
    f"dormouse-{name}@{PROJECT}.iam.gserviceaccount.com" for name in ("gateway", "sweep", "cleanup")
)
ADA, BOB = Owner("ada"), Owner("bob")


class ShiftedClock(SystemClock):
    """The wall clock, and as much later as a test says."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class Platform(MemoryServices):
    """Services whose one instance is an agent process: started and killed with the scaling, like a container."""

    def __init__(self, clock: SystemClock, directory: Path, certs_url: str) -> None:
        super().__init__(clock)
        self.starts: list[str] = []
        self._directory = directory
        self._certs_url = certs_url
        self._ports: dict[str, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def create(self, workstation: Workstation) -> None:
        super().create(workstation)
        name = str(workstation.service_name)
        if name not in self._ports:
            self._ports[name] = free_port()
            view = self.get(workstation.cell, name)
            assert view
            self.put(workstation.cell, replace(view, uri=f"http://127.0.0.1:{self._ports[name]}"))

    def scale_up(self, workstation: Workstation, etag: str) -> None:
        name = str(workstation.service_name)
        before = self.get(workstation.cell, name)
        super().scale_up(workstation, etag)
        if before and before.scaling is not Scaling.ON:
            self.start(name)

    def scale_down(self, cell: str, service: ServiceView) -> None:
        super().scale_down(cell, service)
        self.kill(service.name)

    def start(self, name: str) -> None:
        """A new, empty instance."""
        self.starts.append(name)
        workspace = self._directory / f"instance-{len(self.starts)}"
        workspace.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(workspace),
            "PYTHONPATH": str(ROOT / "workstation"),
            "PORT": str(self._ports[name]),
            "K_SERVICE": name,
            "DORMOUSE_BIND": "127.0.0.1",
            "DORMOUSE_WORKSPACE": str(workspace),
            "DORMOUSE_CONTROLLERS": f"{GATEWAY},{SWEEP}",
            "GOOGLE_CERTS_URL": self._certs_url,
        }
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", "agent"], env=environment, cwd=workspace
        )

    def kill(self, name: str) -> None:
        """Take the instance away."""
        if process := self._processes.pop(name, None):
            process.kill()
            process.wait(10)

    def halt(self, name: str) -> None:
        """It runs, and does nothing any more."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def replace(self, name: str) -> None:
        """What the platform does with an instance now and then."""
        self.kill(name)
        self.start(name)

    def clear(self) -> None:
        for name in list(self._processes):
            self.kill(name)


class Served:
    """An ASGI application, served by uvicorn in a thread."""

    def __init__(self, application: Any, port: int | None = None, **options: Any) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            application,
            host="127.0.0.1",
            port=self.port,
            log_level="critical",
            timeout_graceful_shutdown=0,
            **options,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        eventually(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@dataclass
class Deployment:
    """One gateway, and hands to use it with."""

    directory: Path
    signer: Signer
    user_port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = ShiftedClock()
        self.records = MemoryRecords()
        self.platform = Platform(self.clock, self.directory, self.signer.url)
        tokens = CachedTokens(SystemClock(), lambda audience: self.signer.token(aud=audience, email=GATEWAY))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = Settings.from_environ(environ(self.url, self.signer.url) | self.settings)
        self.deps = self._deps(settings, tokens)
        app = App(
            settings=settings,
            deps=self.deps,
            identity=FirebaseIdentity(PROJECT, SystemClock(), emulated=True),
            service_identity=GoogleServiceIdentity(self.signer.url),
            tokens=tokens,
        )
        self.gateway = Served(build(lambda: app), port)
        self.http = httpx2.Client(base_url=self.url, timeout=60, trust_env=False)

    def close(self) -> None:
        self.http.close()
        self.gateway.stop()
        self.platform.clear()

    # --- what users do ---

    def token(self, owner: str = ADA, *, at: datetime | None = None) -> dict[str, str]:
        """The header of a signed-in user."""
        issued = at or datetime.now(UTC)
        return {"Authorization": f"Bearer {mint(PROJECT, owner, f'{owner}@example.com', issued)}"}

    def provision(self, owner: Owner = ADA, name: str = "main") -> WorkstationId:
        """A workstation that runs."""
        operation = provision.provision(self.deps, self.asker(owner), Wish(project="demo", name=name))
        return self.settle(operation.workstation, State.RUNNING).id

    def call(
        self, method: str, id_: WorkstationId, path: str, *, owner: str = ADA, **options: Any
    ) -> httpx2.Response:
        headers = {**self.token(owner), **options.pop("headers", {})}
        return self.http.request(method, f"/w/{id_}{path}", headers=headers, **options)

    def stop(self, id_: WorkstationId) -> None:
        """It rests, as if it had stopped a while ago."""
        stop.stop(self.deps, self.asker(), id_)
        converge.converge(self.deps, id_, Origin(actor="test"))
        self.clock.ahead += timedelta(seconds=11)
        self.settle(id_, State.STOPPED)

    def asker(self, owner: Owner = ADA) -> Asker:
        return Asker(owner=owner, call=Call(owner=owner, route="test"))

    # --- what is seen ---

    def record(self, id_: WorkstationId) -> Workstation:
        stored = self.records.workstation(id_)
        assert stored
        return stored.value

    def amend(self, id_: WorkstationId, **changes: Any) -> None:
        """Have the record say something else."""
        stored = self.records.workstation(id_)
        assert stored
        self.records.write(Batch(workstation=Stored(replace(stored.value, **changes), stored.version)))

    def settle(self, id_: WorkstationId, state: State) -> Workstation:
        """Converge until it is in that state."""

        def settled() -> bool:
            return converge.converge(self.deps, id_, Origin(actor="test")).state is state

        eventually(settled, 20)
        return self.record(id_)

    def kinds(self, id_: WorkstationId) -> list[str]:
        """What has happened to it."""
        return [str(event.kind) for event in self.records.events(id_, self.record(id_).uid)]

    def agent(self, id_: WorkstationId, path: str) -> Any:
        """What its agent says, asked directly."""
        return httpx2.get(f"{self.record(id_).uri}{path}", trust_env=False, timeout=10).json()

    def control(self, id_: WorkstationId, verb: str, body: dict[str, Any]) -> httpx2.Response:
        """A call of the control plane, past the gateway."""
        found = self.record(id_)
        audience = f"dormouse://{found.service_name}/epochs/{found.epoch}"
        headers = {"Dormouse-Authorization": f"Bearer {self.signer.token(aud=audience, email=SWEEP)}"}
        return httpx2.post(f"{found.uri}/-/{verb}", json=body, headers=headers, trust_env=False, timeout=10)

    def gateway_identity(self) -> GoogleServiceIdentity:
        """What the platform verifies tokens with."""
        return GoogleServiceIdentity(self.signer.url)

    def _deps(self, settings: Settings, tokens: CachedTokens) -> Deps:
        template = Template(name="python", image="python@sha256:" + "0" * 64, port=self.user_port)
        return Deps(
            records=self.records,
            services=self.platform,
            agents=AgentClient(tokens, self.clock),
            backups=MemoryBackups(self.clock),
            holds=GatewayHolds(self.url, tokens),
            clock=self.clock,
            entropy=SeededEntropy(7),
            # What saving does is tested elsewhere; here a stop goes on without.
            policy=replace(settings.policy, stop_patience=timedelta(0)),
            catalog=replace(settings.catalog, templates={"python": template}),
            cell=settings.cell,
        )


Deploy = Callable[..., Deployment]


def environ(url: str, certs_url: str) -> dict[str, str]:
    """What the gateway is told."""
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "RUNTIME_SERVICE_ACCOUNT": f"dormouse-runtime@{PROJECT}.iam.gserviceaccount.com",
        "SCHEDULER_SERVICE_ACCOUNT": f"dormouse-scheduler@{PROJECT}.iam.gserviceaccount.com",
        "CONTROLLER_SERVICE_ACCOUNTS": f"{GATEWAY},{SWEEP}",
        "SIGNING_SERVICE_ACCOUNT": GATEWAY,
        "BACKUP_BUCKET": "backups",
        "PAGE_TOKEN_KEY": "a key for tests",
        "TEMPLATE_IMAGES": f"python=python@sha256:{'0' * 64}",
        "GATEWAY_URL": url,
        "GOOGLE_CERTS_URL": certs_url,
    }
