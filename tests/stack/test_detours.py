"""Something may stand between one of the product's processes and what it calls, and nobody else meets it."""

from pathlib import Path

from emulators.stack import google_cloud, product
from emulators.stack.options import Addresses, Options
from emulators.stack.ports import DEFAULTS


def test_a_detour_is_for_one_process_and_one_part(tmp_path: Path) -> None:
    detours = {"api": {"firestore": 1, "cloud_storage": 2, "metadata_api": 3}}
    options, addresses = Options(state=tmp_path, detours=detours), Addresses(DEFAULTS)

    api, sweep = (product.function(name, options, addresses, {}, "key") for name in ("api", "sweep"))

    assert api.environment["FIRESTORE_EMULATOR_HOST"] == "127.0.0.1:1"
    assert api.environment["STORAGE_EMULATOR_HOST"] == "http://127.0.0.1:2"
    assert api.environment["GCE_METADATA_HOST"] == "127.0.0.1:3"
    assert api.environment["CLOUD_RUN_EMULATOR_HOST"] == addresses.host("cloud_run")
    assert sweep.environment["FIRESTORE_EMULATOR_HOST"] == addresses.host("firestore")
    assert sweep.environment["GCE_METADATA_HOST"] == addresses.host("metadata_sweep")


def test_a_workstation_meets_no_owners_port_behind_any_address_of_storage(tmp_path: Path) -> None:
    """Also where a detour leads to storage it finds what is for signed URLs: by the detour's own way, if it has one."""
    detours = {"api": {"cloud_storage": 2, "cloud_storage_signed": 3}, "gateway": {"cloud_storage": 4}}
    options, addresses = Options(state=tmp_path, detours=detours), Addresses(DEFAULTS)

    doors = google_cloud.doors(options, addresses)

    signed = addresses.host("cloud_storage_signed")
    assert {door for door in doors if "=" in door} == {
        f"{addresses.host('cloud_storage')}={signed}",
        "127.0.0.1:2=127.0.0.1:3",
        f"127.0.0.1:4={signed}",
    }
    assert {door for door in doors if "=" not in door} == {
        addresses.host("identity"),
        addresses.host("metadata_runtime"),
    }
