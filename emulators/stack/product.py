"""The product's own processes as components, each with the settings and the account that it has when deployed."""

import sys
from collections.abc import Mapping
from pathlib import Path

from emulators.stack.component import Component
from emulators.stack.google_cloud import BACKUP_BUCKET, ambient
from emulators.stack.options import PROJECT, REGION, Addresses, Options, account
from tools.venv import ROOT

FUNCTIONS = ("api", "sweep", "cleanup")
CONTROLLERS = ("api", "sweep", "gateway")


def endpoint_variables(addresses: Addresses) -> dict[str, str]:
    """The variables by which Google's clients, and ours, find the emulators."""
    return {
        "FIRESTORE_EMULATOR_HOST": addresses.host("firestore"),
        "FIREBASE_AUTH_EMULATOR_HOST": addresses.host("auth"),
        "STORAGE_EMULATOR_HOST": addresses.url("cloud_storage"),
        "CLOUD_RUN_EMULATOR_HOST": addresses.host("cloud_run"),
        "IAM_CREDENTIALS_ENDPOINT": addresses.url("identity"),
        "GOOGLE_CERTS_URL": f"{addresses.url('identity')}/oauth2/v3/certs",
    }


def function(
    name: str, options: Options, addresses: Addresses, images: Mapping[str, str], page_token_key: str
) -> Component:
    """One function, served by functions-framework as in production."""
    framework = Path(sys.executable).with_name("functions-framework")
    serve = ("--source", str(ROOT / "main.py"), "--target", name, "--host", "127.0.0.1")
    command = (str(framework), *serve, "--port", str(addresses.ports[name]))
    return _component(name, options, addresses, images, page_token_key, command)


def gateway(
    options: Options, addresses: Addresses, images: Mapping[str, str], page_token_key: str
) -> Component:
    """The gateway, served by uvicorn because the framework refuses WebSockets."""
    port = str(addresses.ports["gateway"])
    serve = ("functions.gateway:app", "--host", "127.0.0.1", "--port", port, "--no-access-log")
    # The workstation's own Date and Server go through; ours beside them would be second ones.
    plain = ("--no-date-header", "--no-server-header", "--ws", "websockets-sansio")
    command = (sys.executable, "-m", "uvicorn", *serve, *plain)
    return _component("gateway", options, addresses, images, page_token_key, command)


def _component(
    name: str,
    options: Options,
    addresses: Addresses,
    images: Mapping[str, str],
    page_token_key: str,
    command: tuple[str, ...],
) -> Component:
    seen = addresses.by_way_of(options.detours.get(name, {}))
    home = options.state / "home" / name
    home.mkdir(parents=True, exist_ok=True)
    own = {
        # The server under functions-framework keeps a socket there; several would meet in the user's own.
        "HOME": str(home),
        "TEMPLATE_IMAGES": ",".join(f"{template}={image}" for template, image in images.items()),
        "PAGE_TOKEN_KEY": page_token_key,
    }
    settings = _identity(name, addresses, seen) | _deployment(options, addresses) | own
    return Component(
        name=name,
        address=addresses.url(name),
        command=command,
        ready=f"{addresses.url(name)}/healthz",
        environment=ambient() | endpoint_variables(seen) | settings | dict(options.settings),
        directory=ROOT,
        log=options.logs / f"{name}.log",
        start_seconds=60,
        grace_seconds=10,
    )


def _identity(name: str, addresses: Addresses, seen: Addresses) -> dict[str, str]:
    """Who this process is, to others and to Google."""
    metadata = seen.host(f"metadata_{name}")
    return {
        "SELF_AUDIENCE": addresses.url(name),
        "SIGNING_SERVICE_ACCOUNT": account(name),
        "GCE_METADATA_HOST": metadata,
        "GCE_METADATA_IP": metadata,
    }


def _deployment(options: Options, addresses: Addresses) -> dict[str, str]:
    """What all of the product's processes are told alike."""
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "DORMOUSE_REGION": REGION,
        "DORMOUSE_ENVIRONMENT": "local",
        "RUNTIME_SERVICE_ACCOUNT": account("runtime"),
        "SCHEDULER_SERVICE_ACCOUNT": account("scheduler"),
        "CONTROLLER_SERVICE_ACCOUNTS": ",".join(account(controller) for controller in CONTROLLERS),
        "GATEWAY_URL": addresses.url("gateway"),
        "BACKUP_BUCKET": BACKUP_BUCKET,
        # What functions-framework reads to serve ASGI, as in the deployment.
        "FUNCTION_USE_ASGI": "true",
        # The product derives its windows from how often it is swept.
        "SWEEP_INTERVAL_SECONDS": f"{options.minute_seconds:g}",
    }
