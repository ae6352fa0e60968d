"""Which Admin API is spoken to: Google's, or an emulator on this machine."""

from typing import Any


def services_client(emulator_host: str | None = None) -> Any:
    """A `run_v2.ServicesClient` over REST; with `emulator_host` (host:port) plain HTTP and no credentials."""
    # 0.7 s of imports, which a cold start pays only when it comes to Cloud Run.
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
    from google.cloud import run_v2  # noqa: PLC0415

    if emulator_host is None:
        return run_v2.ServicesClient(transport="rest")
    return run_v2.ServicesClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://{emulator_host}"},
    )
