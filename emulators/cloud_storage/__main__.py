"""Start the Cloud Storage emulator: ``python -m emulators.cloud_storage --help``."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from emulators.cloud_storage.application import Router, application
from emulators.cloud_storage.disk import Disk
from emulators.cloud_storage.names import check_bucket_name
from emulators.cloud_storage.resumable import Uploads
from emulators.cloud_storage.signers import Signers
from emulators.cloud_storage.store import Store
from emulators.serving import serve

_DESCRIPTION = """\
Cloud Storage on one machine, for the stock client library and for V4 signed URLs.

  STORAGE_EMULATOR_HOST=http://127.0.0.1:PORT
  google.cloud.storage.Client(project="demo-dormouse")      # no credentials needed

It does: buckets; uploads in one request, multipart and resumable; ranged and streamed downloads; metadata;
lists; generation and metageneration preconditions; checksums; copy, rewrite, move, compose. Objects are on
disk before they are acknowledged, whole or not at all.
"""
_EPILOG = """\
signed URLs: generate_signed_url(version="v4", api_access_endpoint="http://127.0.0.1:PORT", credentials=...)
  are verified by the keys that KEYS_BASE/robot/v1/metadata/x509/EMAIL publishes: GET, HEAD, PUT, DELETE, and
  POST with x-goog-resumable: start. All x-goog- headers must be signed. PUT and POST honour
  x-goog-if-generation-match and x-goog-content-length-range.

not done, and answered 501: versioning, soft delete, ACLs and IAM, holds, encryption keys, batch requests,
  notifications, XML multipart uploads, glob listing. Lifecycle rules are kept, not carried out. The JSON API
  takes every caller on loopback for an owner.

example:
  python -m emulators.cloud_storage --port 9300 --state .dormouse/storage --project demo-dormouse \\
      --keys-base http://127.0.0.1:9100 --bucket dormouse-backups
"""


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
        type=check_bucket_name,
        metavar="NAME",
        help="a bucket that exists from the start; repeat for more",
    )
    return parser


def main() -> None:
    """Serve until SIGTERM."""
    options = _parser().parse_args()
    store = Store(Disk(options.state), _now)
    asyncio.run(_create_buckets(store, options.bucket))
    keys_base = options.keys_base.rstrip("/") if options.keys_base else None
    signers = Signers(keys_base, options.signer, _now)
    uploads = Uploads(store)
    apps = {options.port: application(Router(store, uploads, signers, options.project))}
    if options.signed_port:
        guarded = Router(store, uploads, signers, options.project, signed_only=True)
        apps[options.signed_port] = application(guarded)
    serve("cloud_storage", apps)


async def _create_buckets(store: Store, names: list[str]) -> None:
    for name in names:
        if name not in store.buckets:
            await store.put_bucket(name, {})


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
