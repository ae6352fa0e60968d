"""Is every field of a service either kept, ignored as the server's own, or refused by name? Also those yet to come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import run_v2

from emulators.cloud_run.model.masks import OUTPUT_ONLY, apply_mask, check_mask
from emulators.cloud_run.model.not_emulated import check_emulated
from emulators.cloud_run.model.violations import Violations
from emulators.errors import ApiError, Code

Service = run_v2.Service.pb()
PROBE = (
    "initial_delay_seconds timeout_seconds period_seconds failure_threshold http_get.path http_get.port "
    "http_get.http_headers.name http_get.http_headers.value tcp_socket.port grpc.port grpc.service"
)
# What a service may say here. All else that Cloud Run has, or will have, must be refused by name.
SAID = {
    "": "annotations client client_version description ingress invoker_iam_disabled labels launch_stage",
    "scaling": "scaling_mode min_instance_count max_instance_count manual_instance_count",
    "traffic": "type_ revision percent tag",
    "template": (
        "annotations labels revision timeout.seconds timeout.nanos service_account execution_environment "
        "max_instance_request_concurrency session_affinity health_check_disabled"
    ),
    "template.scaling": "min_instance_count max_instance_count",
    "template.volumes": "name empty_dir.medium empty_dir.size_limit",
    "template.containers": "name image command args env.name env.value ports.name ports.container_port",
    "template.containers.resources": "limits cpu_idle startup_cpu_boost",
    "template.containers.volume_mounts": "name mount_path",
    "template.containers.build_info": "function_target source_location",
    "template.containers.startup_probe": PROBE,
    "template.containers.liveness_probe": PROBE,
}
HELD = {f"{prefix}.{name}".removeprefix(".") for prefix, names in SAID.items() for name in names.split()}


def leaves(descriptor: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every field that holds a value, once for each."""
    for field in descriptor.fields:
        if not path and field.name in OUTPUT_ONLY:
            continue
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry:
            yield (*path, field)
        else:
            yield from leaves(inner, (*path, field))


def with_one(path: tuple[Any, ...]) -> Any:
    """A service that says nothing but this."""
    service = Service()
    at = service
    for field in path[:-1]:
        at = getattr(at, field.name).add() if field.is_repeated else getattr(at, field.name)
    put(at, path[-1])
    return service


def put(message: Any, field: Any) -> None:
    kinds = {field.CPPTYPE_STRING: "x", field.CPPTYPE_BOOL: True}
    if field.message_type is not None:
        getattr(message, field.name)["k"] = "v"
    elif field.is_repeated:
        getattr(message, field.name).append(kinds.get(field.cpp_type, 1))
    else:
        setattr(message, field.name, kinds.get(field.cpp_type, 1))


LEAVES = {".".join(field.name for field in path): path for path in leaves(Service.DESCRIPTOR)}


@pytest.mark.parametrize("name", LEAVES)
def test_a_field_is_held_or_told(name: str) -> None:
    found = Violations("service")
    check_emulated(with_one(LEAVES[name]), found)
    if name in HELD:
        found.settle()
        return
    with pytest.raises(ApiError) as caught:
        found.settle()
    assert caught.value.code is Code.UNIMPLEMENTED
    told = caught.value.details[0]["fieldViolations"][0]["field"].removeprefix("Not emulated: service.")
    plain = told.replace("[0]", "")
    assert name == plain or name.startswith(f"{plain}.")


def test_every_field_that_is_held_exists() -> None:
    assert set(HELD) <= set(LEAVES)


@pytest.mark.parametrize("name", LEAVES)
def test_a_mask_of_any_field_brings_it_over(name: str) -> None:
    """By itself, or with the list or map that it is in."""
    path = LEAVES[name]
    depth = next((n for n, field in enumerate(path) if field.is_repeated), len(path) - 1)
    mask = ".".join(field.name for field in path[: depth + 1])
    source, target = with_one(path), Service()
    check_mask(target, [mask])
    apply_mask(target, source, [mask])
    assert target == source
    apply_mask(target, Service(), [mask])
    assert target.ByteSize() < source.ByteSize()


@pytest.mark.parametrize("name", sorted(OUTPUT_ONLY))
def test_a_mask_of_the_servers_own_fields_changes_nothing(name: str) -> None:
    field = Service.DESCRIPTOR.fields_by_name[name]
    source, target = Service(), Service()
    if field.message_type is None:
        put(source, field)
    check_mask(target, [name])
    apply_mask(target, source, [name])
    assert target == Service()
