"""Which emulators make a Google Cloud without any product in it, and what must a program know to use it?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emulators.stack import google_cloud
from emulators.stack.auth import find_firebase
from emulators.stack.component import Component
from emulators.stack.firestore import firestore_component
from emulators.stack.options import Addresses, Options

PARTS = ("identity", "cloud_storage", "cloud_run", "cloud_scheduler", "firestore", "auth")
PORTS: Mapping[str, int] = {
    "cloud_run": 8090,
    "cloud_run_grpc": 8089,
    "cloud_storage": 9199,
    "cloud_scheduler": 8098,
    "cloud_scheduler_grpc": 8099,
    "identity": 8091,
    "metadata": 8092,
    "firestore": 8080,
    "auth": 9099,
    "auth_hub": 4400,
    "auth_logging": 4500,
    "identity_control": 8093,
}
# Stopped in reverse: instances may still write when they are told to end.
_AFTER: Mapping[str, tuple[str, ...]] = {
    "cloud_storage": ("identity",),
    "cloud_run": ("identity", "cloud_storage"),
    "cloud_scheduler": ("identity",),
}
NO_AUTH = "No Auth emulator: firebase-tools is not here (npm install --prefix .dormouse/firebase-tools firebase-tools)."


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for, beyond the places of `options`.

    `images` are `NAME@sha256:HEX=COMMAND`, as `python -m emulators.cloud_run` takes them; `rules` are Firestore's.
    """

    options: Options
    without: frozenset[str] = frozenset()
    images: Sequence[str] = ()
    rules: Path | None = None
    faults: Path | None = None

    @property
    def account(self) -> str:
        """The service account that programs find themselves to be."""
        return f"emulator@{self.options.project}.iam.gserviceaccount.com"


def components(choice: Choice, addresses: Addresses, say: Callable[[str], None]) -> list[Component]:
    """The emulators of the choice; raises StackError, saying what to install, where Firestore cannot start."""
    makers: Mapping[str, Callable[[], Component | None]] = {
        "identity": lambda: _identity(choice, addresses),
        "cloud_storage": lambda: _cloud_storage(choice, addresses),
        "cloud_run": lambda: _cloud_run(choice, addresses),
        "cloud_scheduler": lambda: _cloud_scheduler(choice, addresses),
        "firestore": lambda: firestore_component(choice.options, addresses, None, say, choice.rules),
        "auth": lambda: _auth(choice, addresses, say),
    }
    made = (makers[name]() for name in PARTS if name not in choice.without)
    return [replace(part, after=_after(part.name, choice)) for part in made if part is not None]


def environment(choice: Choice, addresses: Addresses, parts: Sequence[Component]) -> dict[str, str]:
    """The variables by which Google's clients, and programs that read our names, find what was started."""
    project, region = choice.options.project, choice.options.region
    variables = {"GOOGLE_CLOUD_PROJECT": project, "GCLOUD_PROJECT": project, "GOOGLE_CLOUD_REGION": region}
    for part in parts:
        variables |= _of_part(part.name, addresses)
    return variables


def _after(name: str, choice: Choice) -> tuple[str, ...]:
    return tuple(other for other in _AFTER.get(name, ()) if other not in choice.without)


def _of_part(name: str, addresses: Addresses) -> dict[str, str]:
    match name:
        case "firestore":
            return {"FIRESTORE_EMULATOR_HOST": addresses.host(name)}
        case "auth":
            return {"FIREBASE_AUTH_EMULATOR_HOST": addresses.host(name)}
        case "cloud_storage":
            return {"STORAGE_EMULATOR_HOST": addresses.url(name)}
        case "identity":
            # google-auth finds its account only where both name the server.
            metadata = dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_IP"), addresses.host("metadata"))
            certificates = f"{addresses.url(name)}/oauth2/v3/certs"
            return metadata | {
                "IAM_CREDENTIALS_ENDPOINT": addresses.url(name),
                "STS_ENDPOINT": addresses.url(name),
                "GOOGLE_CERTS_URL": certificates,
                "IDENTITY_EMULATOR_CONTROL_HOST": addresses.host("identity_control"),
            }
    # The clients of these two know no variable of their own; a program hands them the address.
    prefix = f"{name.upper()}_EMULATOR"
    return {f"{prefix}_HOST": addresses.host(name), f"{prefix}_GRPC_HOST": addresses.host(f"{name}_grpc")}


def _identity(choice: Choice, addresses: Addresses) -> Component:
    account = f"{choice.account}={addresses.ports['metadata']}"
    arguments = ["--region", choice.options.region, "--account", account]
    arguments += ["--control-port", str(addresses.ports["identity_control"])]
    return _with_faults(choice, google_cloud.emulator("identity", choice.options, addresses, arguments))


def _cloud_storage(choice: Choice, addresses: Addresses) -> Component:
    arguments = ["--keys-base", addresses.url("identity")] if "identity" not in choice.without else []
    return _with_faults(choice, google_cloud.emulator("cloud_storage", choice.options, addresses, arguments))


def _cloud_run(choice: Choice, addresses: Addresses) -> Component:
    options = choice.options
    arguments = ["--location", options.region, "--runtime", options.runtime]
    arguments += ["--grpc-port", str(addresses.ports["cloud_run_grpc"])]
    for image in choice.images:
        arguments += ["--image", image]
    if "identity" not in choice.without:
        metadata = addresses.host("metadata")
        arguments += ["--metadata", metadata, "--door", metadata]
    # An instance has ten seconds after SIGTERM; the emulator outlasts them.
    made = google_cloud.emulator("cloud_run", options, addresses, arguments, grace_seconds=15)
    return _with_faults(choice, made)


def _cloud_scheduler(choice: Choice, addresses: Addresses) -> Component:
    arguments = ["--location", choice.options.region]
    arguments += ["--grpc-port", str(addresses.ports["cloud_scheduler_grpc"])]
    if "identity" not in choice.without:
        arguments += ["--metadata", addresses.host("metadata")]
    made = google_cloud.emulator("cloud_scheduler", choice.options, addresses, arguments)
    return _with_faults(choice, made)


def _auth(choice: Choice, addresses: Addresses, say: Callable[[str], None]) -> Component | None:
    firebase = find_firebase()
    if firebase is None:
        say(NO_AUTH)
        return None
    return google_cloud.auth(choice.options, addresses, firebase)


def _with_faults(choice: Choice, part: Component) -> Component:
    if choice.faults is None:
        return part
    return replace(part, command=(*part.command, "--faults", str(choice.faults)))
