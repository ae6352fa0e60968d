"""Start the identity emulator: ``python -m emulators.identity --help``."""

import argparse
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from emulators.clock import Clock
from emulators.control import ControlRoutes
from emulators.errors import EXCEPTION_HANDLERS
from emulators.faults.gate import FaultGate, read_rules
from emulators.faults.rule import BadRule, Rule
from emulators.identity.accounts import Account, Project, parse_account
from emulators.identity.iam import Iam
from emulators.identity.keys import load_keys
from emulators.identity.metadata import metadata_server
from emulators.identity.tokens import TokenIssuer
from emulators.serving import HostCheck, ready, serve

_DESCRIPTION = """\
Service accounts on one machine: a metadata server for each account, signBlob, and the published keys.

A process becomes an account by GCE_METADATA_HOST=GCE_METADATA_IP=127.0.0.1:PORT (set both); then
google.auth.default(), fetch_id_token and the client libraries work as they do on Cloud Run.
"""
_EPILOG = """\
on --port:
  GET  /oauth2/v3/certs, /oauth2/v1/certs         keys that verify ID tokens (JWKS, X.509)
  GET  /robot/v1/metadata/x509/EMAIL              keys that verify an account's signBlob
  POST /v1/projects/-/serviceAccounts/EMAIL:signBlob   {"payload": base64}, with that account's access token
  POST /v1/token                                  downscoped tokens (STS): held to a Credential Access Boundary
  GET  /tokeninfo?access_token=TOKEN              whose token it is
  GET  /emulator/v1/accessTokenCerts              keys that verify access tokens (not part of Google's API)

on --control-port:
  GET  /emulator/v1/clock                         what time it is; POST .../clock:advance, :hold, :resume
  GET  /emulator/v1/faults                        what goes wrong with signBlob and STS; POST adds a rule

example:
  python -m emulators.identity --port 9100 --state .dormouse/identity --project demo-dormouse \\
      --account dormouse-api@demo-dormouse.iam.gserviceaccount.com=9101
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m emulators.identity",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, required=True, help="port of keys and signBlob")
    parser.add_argument(
        "--state", type=Path, required=True, help="directory that keeps the keys over restarts"
    )
    parser.add_argument("--project", required=True, help="project id that the metadata servers name")
    parser.add_argument("--region", default="europe-west1", help="region that they name (%(default)s)")
    parser.add_argument(
        "--control-port",
        type=int,
        metavar="PORT",
        help="a port for the clock and the faults; apart, as workstations may reach --port",
    )
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="what goes wrong from the start: a JSON list"
    )
    parser.add_argument(
        "--account",
        action="append",
        required=True,
        metavar="EMAIL=PORT",
        help="a service account and the port of its metadata server; repeat for more",
    )
    return parser


def _accounts(parser: argparse.ArgumentParser, texts: list[str], taken: list[int]) -> list[Account]:
    try:
        accounts = [parse_account(text) for text in texts]
    except ValueError as error:
        parser.error(f"--account: {error}")
    ports = [*taken, *(account.metadata_port for account in accounts)]
    if len(set(ports)) < len(ports) or len({account.email for account in accounts}) < len(accounts):
        parser.error("--account: each account, and each port, may be named once only")
    return accounts


def _faults(path: Path | None) -> list[Rule]:
    try:
        return read_rules(path) if path else []
    except BadRule as error:
        sys.exit(f"identity: --faults: {error}")


def main() -> None:
    """Serve until SIGTERM."""
    parser = _parser()
    options = parser.parse_args()
    taken = [port for port in (options.port, options.control_port) if port]
    accounts = _accounts(parser, options.account, taken)
    project = Project(options.project, options.region)
    keys = load_keys(options.state, [account.email for account in accounts])
    clock = Clock(options.state / "clock.json")
    issuer = TokenIssuer(keys, clock.now)
    gate = FaultGate(clock, _faults(options.faults))
    apps: dict[int, ASGIApp] = {options.port: Iam(keys, issuer, gate).application()}
    apps |= {account.metadata_port: metadata_server(project, account, issuer) for account in accounts}
    if options.control_port:
        routes = [Route("/", ready), *ControlRoutes(clock, gate).routes()]
        control = Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
        apps[options.control_port] = HostCheck(control)
    serve("identity", apps)


if __name__ == "__main__":
    main()
