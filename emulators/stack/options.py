"""What may be chosen about one local cloud, and where its parts are found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulators.stack.ports import LOOPBACK
from tools.venv import STATE

PROJECT = "demo-dormouse"
REGION = "europe-west1"
RUNTIMES = ("auto", "docker", "process")
ACCOUNTS = ("api", "sweep", "cleanup", "gateway", "scheduler", "runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One local cloud's choices.

    `state` keeps buckets, services, keys and records between runs; its stack file lies beside it, with `.json`.
    `settings` are the product's own, by their names, and go to every function. `only` starts the named components
    and what they need. `runtime` is what workstations run on: "docker", "process", or "auto" for Docker where an
    engine answers. `detours` are ports at which one of the product's processes finds others than where they listen,
    by both names: what stands between sees every call. `images` are further ones that services may name, each with the
    command that stands for it where instances are processes. `project` and `region` are for emulators without the
    product, which has the standard ones.
    """

    project: str = PROJECT
    region: str = REGION
    state: Path = STATE / "stack"
    ports: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    minute_seconds: float = 60
    workstation: bool = True
    ephemeral: bool = False
    any_free_ports: bool = False
    only: frozenset[str] = frozenset()
    images: Mapping[str, str] = field(default_factory=dict)
    runtime: str = "auto"
    detours: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def stack_file(self) -> Path:
        return self.state.with_name(self.state.name + ".json")

    @property
    def logs(self) -> Path:
        return self.state / "logs"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each part listens."""

    ports: Mapping[str, int]

    def host(self, name: str) -> str:
        return f"{LOOPBACK}:{self.ports[name]}"

    def url(self, name: str) -> str:
        return f"http://{self.host(name)}"

    def by_way_of(self, detours: Mapping[str, int]) -> "Addresses":
        """The same parts, some of them at another port."""
        return Addresses({**self.ports, **detours})


def account(name: str) -> str:
    """The e-mail of one of the product's service accounts."""
    return f"dormouse-{name}@{PROJECT}.iam.gserviceaccount.com"
