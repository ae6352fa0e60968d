"""Which components make a local cloud, and can all of them start from this checkout?"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from emulators.stack import google_cloud, product
from emulators.stack.component import Component, StackError
from emulators.stack.firestore import firestore_component
from emulators.stack.kept_state import KeptState
from emulators.stack.options import Addresses, Options
from emulators.stack.runtime import Runtime
from tools.venv import ROOT

NEEDS: Mapping[str, tuple[str, ...]] = {
    "firestore": (),
    "auth": (),
    "identity": (),
    "cloud_storage": ("identity",),
    # Stopped before storage, so that instances can save on SIGTERM.
    "cloud_run": ("identity", "cloud_storage"),
    "api": ("firestore", "identity", "cloud_storage", "cloud_run"),
    "sweep": ("firestore", "identity", "cloud_storage", "cloud_run"),
    "cleanup": ("firestore", "identity", "cloud_storage", "cloud_run"),
    "gateway": ("firestore", "identity", "cloud_storage", "cloud_run"),
    "cloud_scheduler": ("identity", "sweep", "cleanup"),
}
_SOURCES: Mapping[str, str] = {
    **{name: f"emulators/{name}/__main__.py" for name in ("identity", "cloud_storage", "cloud_run")},
    **dict.fromkeys(product.FUNCTIONS, "main.py"),
    "gateway": "functions/gateway",
    "cloud_scheduler": "emulators/cloud_scheduler/__main__.py",
}


def wanted(only: frozenset[str]) -> frozenset[str]:
    """The named components and all that they need; every one when none is named. Raises StackError."""
    if unknown := only - NEEDS.keys():
        raise StackError(f"There is no component {', '.join(sorted(unknown))}; there are {', '.join(NEEDS)}.")
    names = set(only or NEEDS)
    while more := {need for name in names for need in NEEDS[name]} - names:
        names |= more
    return frozenset(names)


def components(
    options: Options,
    addresses: Addresses,
    imported: Path | None,
    firebase: Path | None,
    runtime: Runtime | None,
    say: Callable[[str], None],
) -> list[Component]:
    """The components that were asked for, in the order of the table; without a runtime, those that need none."""
    names = wanted(options.only)
    makers: dict[str, Callable[[], Component]] = {
        "firestore": partial(firestore_component, options, addresses, imported, say),
        "identity": partial(google_cloud.identity, options, addresses),
        "cloud_storage": partial(google_cloud.cloud_storage, options, addresses),
        "cloud_scheduler": partial(google_cloud.cloud_scheduler, options, addresses),
    }
    if firebase is not None:
        makers["auth"] = partial(google_cloud.auth, options, addresses, firebase)
    if runtime is not None:
        key = KeptState(options.state).page_token_key()
        makers["cloud_run"] = partial(google_cloud.cloud_run, options, addresses, runtime)
        for name in product.FUNCTIONS:
            makers[name] = partial(product.function, name, options, addresses, runtime.images, key)
        makers["gateway"] = partial(product.gateway, options, addresses, runtime.images, key)
    return [replace(make(), after=NEEDS[name]) for name, make in makers.items() if name in names]


def refuse_missing(names: frozenset[str]) -> None:
    """Raises StackError when this checkout lacks what one of them is made of."""
    missing = []
    for name, source in _SOURCES.items():
        path = ROOT / source
        if name in names and not (path.exists() or path.with_suffix(".py").exists()):
            missing.append(f"{name} ({source})")
    if missing:
        raise StackError(f"This checkout has no {', '.join(missing)}: pull the missing part, then try again.")
