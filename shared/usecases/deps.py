"""What every use case is given."""

from dataclasses import dataclass

from shared.domain.catalog import Catalog
from shared.domain.policy import Policy
from shared.ports import Agents, BackupStore, Clock, Entropy, Holds, Records, ServiceHost


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The ports, and the operator's rules."""

    records: Records
    services: ServiceHost
    agents: Agents
    backups: BackupStore
    holds: Holds
    clock: Clock
    entropy: Entropy
    policy: Policy
    catalog: Catalog
    cell: str
    """`project/region` where new services are placed."""
    workers: int = 1
    """How many workstations a sweep converges at a time; more than one needs ports that are safe for threads."""
