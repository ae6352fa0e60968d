"""Of which parts is the Admin API made? They are built here, over one store; REST and gRPC serve the same methods."""

from __future__ import annotations

from emulators.clock import Clock
from emulators.cloud_run.api.names import Names
from emulators.cloud_run.api.operation_methods import OperationMethods
from emulators.cloud_run.api.policy_methods import PolicyMethods
from emulators.cloud_run.api.revision_methods import RevisionMethods
from emulators.cloud_run.api.service_methods import ServiceMethods
from emulators.cloud_run.arguments import Arguments
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.history import History
from emulators.cloud_run.hosting import Hosting
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.model.service import Rules
from emulators.cloud_run.operations import Operations
from emulators.cloud_run.quotas import Quotas
from emulators.cloud_run.reconciliation import Reconciliation
from emulators.cloud_run.retirement import Retirement
from emulators.cloud_run.revisions import Revisions
from emulators.cloud_run.rights import Rights
from emulators.cloud_run.runtime.contract import Runtime
from emulators.cloud_run.services import Services
from emulators.cloud_run.store import Store
from emulators.faults.gate import FaultGate
from emulators.rpc.method import Method


class Admin:
    """The resources of one project and region, and the methods that reach them."""

    def __init__(
        self,
        arguments: Arguments,
        *,
        clock: Clock,
        gate: FaultGate,
        store: Store,
        rights: Rights,
        hosting: Hosting,
        runtime: Runtime,
    ) -> None:
        place = Place(arguments.project, arguments.location)
        quotas = Quotas(arguments.limits, place, clock)
        self._revisions = revisions = Revisions(store, place, clock)
        operations = Operations(store, place, clock=clock, gate=gate, delay=arguments.operation_delay)
        catalog = Catalog(
            store,
            place,
            revisions=revisions,
            policies=rights.policies,
            access=rights.access,
            history=History(clock),
            quotas=quotas,
        )
        self._retirement = Retirement(revisions, operations, catalog, clock)
        self._reconciliation = Reconciliation(catalog, operations, hosting, runtime=runtime, clock=clock)
        services = Services(
            catalog,
            operations,
            hosting,
            self._reconciliation,
            place=place,
            rules=Rules(require_service_account=arguments.require_service_account),
            clock=clock.now,
        )
        names = Names(place)
        self.methods: list[Method] = quotas.metered(
            [
                *ServiceMethods(services, catalog, names, gate).methods(),
                *RevisionMethods(revisions, self._retirement, catalog, names, gate).methods(),
                *PolicyMethods(rights, catalog, names, gate).methods(),
                *OperationMethods(operations, names, gate).methods(),
            ]
        )

    async def restore(self) -> None:
        """Take up what the disk remembers."""
        await self._reconciliation.restore()
        await self._revisions.save_all()
        await self._retirement.restore()

    async def close(self) -> None:
        """Stop finishing operations; the next start does it."""
        await self._reconciliation.close()
        await self._retirement.close()
