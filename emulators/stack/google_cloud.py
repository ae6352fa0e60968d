"""The stand-ins for Google Cloud as components: identity, storage, run, scheduler, and the real Auth emulator."""

import os
import sys
from pathlib import Path

from emulators.stack.auth import node_environment, write_configuration
from emulators.stack.component import Component
from emulators.stack.options import ACCOUNTS, PROJECT, Addresses, Options, account
from emulators.stack.runtime import Runtime
from tools.venv import ROOT

BACKUP_BUCKET = f"{PROJECT}-backups"
INVOKERS = ("gateway", "api", "sweep", "cleanup")


def ambient() -> dict[str, str]:
    """The little that every process gets of this one's environment; no proxy, no credential, no user setting."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DOCKER_HOST")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    return variables | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def auth(options: Options, addresses: Addresses, firebase: Path) -> Component:
    """firebase-tools' Auth emulator."""
    directory = options.state / "auth"
    configuration = write_configuration(directory, dict(addresses.ports))
    only = ("--only", "auth", "--project", options.project, "--config", str(configuration))
    return Component(
        name="auth",
        address=addresses.url("auth"),
        command=(str(firebase), "emulators:start", *only),
        ready=addresses.url("auth"),
        environment=node_environment(),
        directory=directory,
        log=options.logs / "auth.log",
        start_seconds=120,
        grace_seconds=8,
    )


def identity(options: Options, addresses: Addresses) -> Component:
    """The metadata servers, signBlob and the published keys."""
    arguments = ["--region", options.region]
    for name in ACCOUNTS:
        arguments += ["--account", f"{account(name)}={addresses.ports[f'metadata_{name}']}"]
    return emulator("identity", options, addresses, arguments)


def cloud_storage(options: Options, addresses: Addresses) -> Component:
    """Buckets on disk; signed URLs verified against identity's keys."""
    arguments = ["--keys-base", addresses.url("identity"), "--bucket", BACKUP_BUCKET]
    arguments += ["--signed-port", str(addresses.ports["cloud_storage_signed"])]
    # Code in a workstation can sign as its own account, which has no rights.
    for name in INVOKERS:
        arguments += ["--signer", account(name)]
    return emulator("cloud_storage", options, addresses, arguments)


def cloud_run(options: Options, addresses: Addresses, runtime: Runtime) -> Component:
    """Services and their instances."""
    arguments = ["--location", options.region, "--require-service-account", "--runtime", runtime.name]
    for image, command in runtime.commands.items():
        arguments += ["--image", f"{image}={command}"]
    for address in doors(options, addresses):
        arguments += ["--door", address]
    # Services of the run before name that run's keys, and identity may have got another port since.
    arguments += ["--instance-env", f"GOOGLE_CERTS_URL={addresses.url('identity')}/oauth2/v3/certs"]
    arguments += ["--keys", f"{addresses.url('identity')}/oauth2/v3/certs"]
    for name in INVOKERS:
        arguments += ["--invoker", account(name)]
    arguments += ["--metadata", addresses.host("metadata_runtime")]
    # An instance has ten seconds after SIGTERM; the emulator outlasts them.
    return emulator("cloud_run", options, addresses, arguments, grace_seconds=15)


def doors(options: Options, addresses: Addresses) -> list[str]:
    """What code in a workstation reaches of this machine: metadata, published keys, and objects by signed URL."""
    plain = {addresses.host("identity"), addresses.host("metadata_runtime")}
    # The JSON API takes everybody for an owner: behind each of its addresses they find the port of signed URLs alone.
    ways = (addresses, *(addresses.by_way_of(ports) for ports in options.detours.values()))
    signed = {f"{way.host('cloud_storage')}={way.host('cloud_storage_signed')}" for way in ways}
    return sorted(plain | signed)


def cloud_scheduler(options: Options, addresses: Addresses) -> Component:
    """The clock of the sweeps, with the cron strings that are deployed."""
    arguments = ["--location", options.region, "--jobs", str(ROOT / "terraform" / "scheduler-jobs.json")]
    arguments += ["--metadata", addresses.host("metadata_scheduler"), "--account", account("scheduler")]
    arguments += ["--minute", f"{options.minute_seconds:g}"]
    for name in ("sweep", "cleanup"):
        arguments += ["--target", f"{name}={addresses.url(name)}"]
    return emulator("cloud_scheduler", options, addresses, arguments)


def emulator(
    name: str,
    options: Options,
    addresses: Addresses,
    arguments: list[str],
    *,
    grace_seconds: float = 5,
) -> Component:
    """One of ours, as `python -m emulators.NAME`."""
    command = [sys.executable, "-m", f"emulators.{name}", "--port", str(addresses.ports[name])]
    command += ["--state", str(options.state / name), "--project", options.project]
    return Component(
        name=name,
        address=addresses.url(name),
        command=(*command, *arguments),
        ready=addresses.url(name),
        environment=ambient(),
        directory=ROOT,
        log=options.logs / f"{name}.log",
        grace_seconds=grace_seconds,
    )
