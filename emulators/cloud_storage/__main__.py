"""Start the Cloud Storage emulator: ``python -m emulators.cloud_storage --help``."""

import argparse
import asyncio
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from emulators.clock import Clock
from emulators.cloud_storage.access.bearers import Bearers
from emulators.cloud_storage.access.signers import Signers
from emulators.cloud_storage.application import Router, application
from emulators.cloud_storage.calls import Calls
from emulators.cloud_storage.failures import StorageError
from emulators.cloud_storage.kept.disk import Disk
from emulators.cloud_storage.kept.names import check_bucket_name
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.lifecycle.passes import LifecycleRuns
from emulators.cloud_storage.uploads.parts import PartFiles
from emulators.cloud_storage.uploads.resumable import Uploads
from emulators.cloud_storage.uploads.sessions import SessionFiles
from emulators.cloud_storage.xml_api.objects import XmlObjects
from emulators.control import ControlRoutes
from emulators.errors import EXCEPTION_HANDLERS
from emulators.faults.gate import FaultGate, read_rules
from emulators.faults.rule import BadRule, Rule
from emulators.serving import serve

_DESCRIPTION = """\
Cloud Storage on one machine, for the stock client library and for V4 signed URLs.

  STORAGE_EMULATOR_HOST=http://127.0.0.1:PORT
  google.cloud.storage.Client(project="demo-dormouse")      # no credentials needed

It does: buckets; uploads in one request, multipart, resumable and in parts; batches; ranged and streamed
downloads; metadata; lists; generation and metageneration preconditions; checksums; copy, rewrite, move,
compose; versions, holds, soft delete (a bucket made by --bucket has none) and lifecycle rules. Objects and
uploads under way are on disk before they are acknowledged, whole or not at all.
"""
_EPILOG = """\
signed URLs: generate_signed_url(version="v4", api_access_endpoint="http://127.0.0.1:PORT", credentials=...)
  are verified by the keys that KEYS_BASE/robot/v1/metadata/x509/EMAIL publishes: GET, HEAD, PUT, DELETE, and
  POST with x-goog-resumable: start. All x-goog- headers must be signed. PUT and POST honour
  x-goog-if-generation-match and x-goog-content-length-range.

POST /emulator/v1/clock:advance {"seconds": N} moves its clock, POST /emulator/v1/lifecycle:run carries out the
  lifecycle rules now and not only every hour of that clock, POST /emulator/v1/faults sets what goes wrong.

forms: generate_signed_post_policy_v4 makes policy documents; forms are held to them.
tokens: who sends none is an owner; one that is sent must hold, by KEYS_BASE/emulator/v1/accessTokenCerts, and a
  downscoped one reaches no further than its Credential Access Boundary.

not done, and answered 501: ACLs and IAM, retention policies, encryption keys, notifications, folders,
  soft-deleted buckets.

example:
  python -m emulators.cloud_storage --port 9300 --state .dormouse/storage --project demo-dormouse \\
      --keys-base http://127.0.0.1:9100 --bucket dormouse-backups
"""


def _bucket_name(text: str) -> str:
    try:
        return check_bucket_name(text)
    except StorageError as error:
        raise argparse.ArgumentTypeError(error.message) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m emulators.cloud_storage",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument(
        "--signed-port",
        type=int,
        metavar="PORT",
        help="a second port, for those who must not be taken for an owner: only signed URLs are served there",
    )
    parser.add_argument("--state", type=Path, required=True, help="directory that keeps the objects")
    parser.add_argument("--project", required=True, help="project that owns the buckets")
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="what goes wrong from the start: a JSON list"
    )
    parser.add_argument("--keys-base", metavar="URL", help="where the keys of accounts are published")
    parser.add_argument(
        "--signer",
        action="append",
        default=[],
        metavar="EMAIL",
        help="an account whose signed URLs are honoured; repeat for more (default: every account's)",
    )
    parser.add_argument(
        "--bucket",
        action="append",
        default=[],
        type=_bucket_name,
        metavar="NAME",
        help="a bucket that exists from the start; repeat for more",
    )
    return parser


def main() -> None:
    """Serve until SIGTERM."""
    options = _parser().parse_args()
    serve("cloud_storage", _applications(options))


def _applications(options: argparse.Namespace) -> dict[int, ASGIApp]:
    """What is served on each port, over one store and one clock."""
    clock, disk = Clock(options.state / "clock.json"), Disk(options.state)
    store = Store(disk, clock.now)
    asyncio.run(_create_buckets(store, options.bucket))
    uploads = Uploads(store, SessionFiles(options.state / "uploads", disk.contents), clock.now)
    parts = PartFiles(options.state / "parts")
    keys_base = options.keys_base.rstrip("/") if options.keys_base else None
    signers = Signers(keys_base, options.signer, clock.now)
    gate = FaultGate(clock, _faults(options.faults))
    calls = Calls(store, gate, Bearers(keys_base, clock.now))

    def router(*, signed_only: bool) -> Router:
        xml = XmlObjects(store, uploads, parts, signers, calls, signed_only=signed_only)
        return Router(store, uploads, calls, xml, options.project, signed_only=signed_only)

    runs = LifecycleRuns(store, parts, clock)
    routes = [*ControlRoutes(clock, gate).routes(), *runs.routes()]
    control = Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
    apps = {options.port: application(router(signed_only=False), control, runs.start)}
    if options.signed_port:
        apps[options.signed_port] = application(router(signed_only=True))
    return apps


def _faults(path: Path | None) -> list[Rule]:
    try:
        return read_rules(path) if path else []
    except BadRule as error:
        sys.exit(f"cloud_storage: --faults: {error}")


async def _create_buckets(store: Store, names: list[str]) -> None:
    for name in names:
        if name not in store.buckets:
            await store.put_bucket(name, {})


if __name__ == "__main__":
    main()
