"""Who can reach whom? Each service has a bridge of its own, made for its first container and removed with its last."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections import defaultdict
from contextlib import suppress
from functools import partial

from docker.types import IPAMConfig, IPAMPool

from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.cloud_run.runtime.docker.engine import Client, Engine
from emulators.cloud_run.runtime.docker.labels import SERVICE, Owner

# The engine's own pools end at about thirty networks. This makes 1024 of 61 containers each.
_RANGE = ipaddress.ip_network("10.213.0.0/16")
_PREFIX_LENGTH = 26
_ATTEMPTS = 20


class Networks:
    """The networks of all services that have containers."""

    def __init__(self, engine: Engine, owner: Owner) -> None:
        self._engine = engine
        self._owner = owner
        self._ids: dict[str, str] = {}
        self._users: defaultdict[str, int] = defaultdict(int)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def keeps(self, service_id: str, network: str) -> bool:
        """Whether the service has, or is about to have, this network."""
        return self._users[service_id] > 0 and self._ids.get(service_id, network) == network

    async def join(self, service_id: str) -> str:
        """The id of the service's network, for one more container. Raises RuntimeFailure."""
        self._users[service_id] += 1
        try:
            async with self._locks[service_id]:
                if service_id not in self._ids:
                    self._ids[service_id] = await self._create(service_id)
                return self._ids[service_id]
        except BaseException:
            self._users[service_id] -= 1
            raise

    async def leave(self, service_id: str) -> None:
        """One container less; the last one takes the network along. What cannot be removed now is a leftover."""
        self._users[service_id] -= 1
        async with self._locks[service_id]:
            if self._users[service_id] or service_id not in self._ids:
                return
            network = self._ids.pop(service_id)
            with suppress(RuntimeFailure):
                await self._engine.call(lambda client: client.api.remove_network(network))

    async def _create(self, service_id: str) -> str:
        for subnet in random.sample(list(_RANGE.subnets(new_prefix=_PREFIX_LENGTH)), _ATTEMPTS):
            create = partial(self._create_in, str(subnet), service_id)
            try:
                return await self._engine.call(create)
            except RuntimeFailure as error:
                if "overlaps" not in str(error):
                    raise
        raise RuntimeFailure(f"None of {_ATTEMPTS} networks tried in {_RANGE} is free.")

    def _create_in(self, subnet: str, service_id: str, client: Client) -> str:
        made = client.api.create_network(
            f"cloud-run-{self._owner.state[:8]}-{service_id}",
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]),
            labels=self._owner.labels(**{SERVICE: service_id}),
        )
        return str(made["Id"])
