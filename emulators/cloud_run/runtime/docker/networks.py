"""Who can reach whom? Each service has a bridge of its own, made for its first container and removed with its last."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import secrets
from collections import defaultdict
from functools import partial
from pathlib import Path

from docker.types import IPAMConfig, IPAMPool

from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.cloud_run.runtime.docker.engine import Client, Engine
from emulators.cloud_run.runtime.docker.labels import SERVICE, Owner

# The engine's own pools end at about thirty networks. This makes 1024 of 61 containers each.
_RANGE = ipaddress.IPv4Network("10.213.0.0/16")
_PREFIX_LENGTH = 26
_ATTEMPTS = 20
_ROUTES = Path("/proc/net/route")


class Networks:
    """The networks of all services that have containers; `left_one` says that one could not be removed."""

    def __init__(self, engine: Engine, owner: Owner) -> None:
        self._engine = engine
        self._owner = owner
        self.left_one = False
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
            try:
                await self._engine.call(lambda client: client.api.remove_network(network))
            except RuntimeFailure:
                self.left_one = True

    async def _create(self, service_id: str) -> str:
        for subnet in await asyncio.to_thread(_free_subnets):
            create = partial(self._create_in, str(subnet), service_id)
            try:
                return await self._engine.call(create)
            except RuntimeFailure as error:
                if "overlaps" not in str(error):
                    raise
        raise RuntimeFailure(f"No network is free in {_RANGE}; see `ip route` and `docker network ls`.")

    def _create_in(self, subnet: str, service_id: str, client: Client) -> str:
        made = client.api.create_network(
            # Engines look networks up by name at times; one that could not be removed may still bear the service's.
            f"cloud-run-{self._owner.state[:8]}-{service_id}-{secrets.token_hex(3)}",
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]),
            labels=self._owner.labels(**{SERVICE: service_id}),
        )
        return str(made["Id"])


def _free_subnets() -> list[ipaddress.IPv4Network]:
    taken = routes(_ROUTES.read_text())
    every = _RANGE.subnets(new_prefix=_PREFIX_LENGTH)
    free = [subnet for subnet in every if not any(map(subnet.overlaps, taken))]
    return random.sample(free, min(_ATTEMPTS, len(free)))


def routes(table: str) -> list[ipaddress.IPv4Network]:
    """The networks that this machine has a way to, but for the default one; `table` is the kernel's.

    An engine knows its own networks only, and two ways to one network lead astray.
    """
    rows = [line.split() for line in table.splitlines()[1:]]
    found = [ipaddress.IPv4Network((_address(row[1]), _address(row[7]))) for row in rows]
    return [network for network in found if network.prefixlen]


def _address(word: str) -> str:
    return str(ipaddress.IPv4Address(bytes.fromhex(word)[::-1]))
