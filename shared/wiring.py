"""The composition root: settings in, a wired application out. Nothing is connected to before it is used."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from shared import log
from shared.adapters.agent.client import AgentClient
from shared.adapters.agent.tokens import CachedTokens
from shared.adapters.cloud_run.blueprint import Blueprint
from shared.adapters.cloud_run.client import services_client
from shared.adapters.cloud_run.services import CloudRunServices
from shared.adapters.cloud_storage import CloudStorageBackups, storage_client
from shared.adapters.firebase_auth import FirebaseIdentity
from shared.adapters.firestore.client import client_for
from shared.adapters.firestore.records import FirestoreRecords
from shared.adapters.gateway import GatewayHolds
from shared.adapters.google_oidc import GoogleServiceIdentity
from shared.adapters.signing import BlobSigner
from shared.adapters.system import SystemClock, SystemEntropy
from shared.config import Settings
from shared.ports import Identity, ServiceIdentity, Tokens
from shared.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What an entry point needs: the use cases' ports, and who may call."""

    settings: Settings
    deps: Deps
    identity: Identity
    service_identity: ServiceIdentity
    tokens: Tokens
    """Of this process itself, for the services that it calls."""


SWEEP_WORKERS = 8

AppSource = Callable[[], App]


@cache
def app() -> App:
    """The application of this process. Raises SettingsError."""
    settings = Settings.from_environ(os.environ)
    log.configure(settings.log_file)
    return build(settings)


def build(settings: Settings) -> App:
    clock = SystemClock()
    tokens = CachedTokens(clock)
    return App(
        settings=settings,
        deps=_deps(settings, clock, tokens),
        identity=FirebaseIdentity(settings.project, clock, emulated=settings.endpoints.auth_emulated),
        service_identity=GoogleServiceIdentity(settings.endpoints.certs_url),
        tokens=tokens,
    )


def _deps(settings: Settings, clock: SystemClock, tokens: CachedTokens) -> Deps:
    signer = BlobSigner(settings.accounts.signer, settings.endpoints.iam_credentials)
    return Deps(
        records=FirestoreRecords(client_for(settings.project, settings.database)),
        services=_services(settings),
        agents=AgentClient(tokens, clock),
        backups=CloudStorageBackups(
            partial(storage_client, settings.project), settings.backup_bucket, signer
        ),
        holds=GatewayHolds(settings.gateway_url, tokens),
        clock=clock,
        entropy=SystemEntropy(),
        policy=settings.policy,
        catalog=settings.catalog,
        cell=settings.cell,
        workers=SWEEP_WORKERS,
    )


def _services(settings: Settings) -> CloudRunServices:
    blueprint = Blueprint(
        environment=settings.environment,
        runtime_service_account=settings.accounts.runtime,
        controllers=settings.accounts.controllers,
        certs_url=settings.endpoints.certs_url,
    )
    return CloudRunServices(partial(services_client, settings.endpoints.cloud_run or None), blueprint)
