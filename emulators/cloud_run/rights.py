"""What decides who may do what? The policies, what they come to, and the tokens by which callers show who they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from emulators.clock import Clock
from emulators.cloud_run.access import Access
from emulators.cloud_run.front.keys import Keys
from emulators.cloud_run.front.tokens import Tokens
from emulators.cloud_run.policies import Policies
from emulators.cloud_run.store import Store
from emulators.faults.gate import FaultGate


@dataclass(frozen=True, slots=True)
class Rights:
    """The same for the front, which enforces them, and for the Admin API, which tells of them."""

    policies: Policies
    access: Access
    tokens: Tokens


def rights_of(
    store: Store, clock: Clock, gate: FaultGate, *, keys_url: str | None, invokers: Collection[str]
) -> Rights:
    """The rights that the disk remembers, and those of `invokers`, by e-mail, on every service."""
    policies = Policies(store, clock)
    tokens = Tokens(Keys(keys_url) if keys_url else None)
    return Rights(policies, Access(policies, invokers, gate), tokens)
