"""What Cloud Run says is wrong, in its stock words, and the cause that a user reads."""

from typing import Any

import pytest
from google.cloud import run_v2

from shared.adapters.cloud_run.breakdowns import breakdown_of
from shared.domain.breakdown import Breakdown, Cause

IMAGE = "Image 'registry.example/import failed@sha256:0' not found."
NOT_READY = "Revision 'ws-abc-1-00001' is not ready and cannot serve traffic. "
FAILED_TO_START = (
    NOT_READY
    + "The user-provided container failed to start and listen on the port defined provided by the PORT=48080 "
    "environment variable within the allocated timeout. Logs for this revision might contain more information."
)
STARTED = (
    NOT_READY + "The user-provided container failed to start and listen on the port defined by the PORT=1 "
)
HEALTH = {"revision_reason": "HEALTH_CHECK_CONTAINER_ERROR"}


def read(**condition: Any) -> Breakdown:
    found = breakdown_of(run_v2.Condition({"state": "CONDITION_FAILED", **condition}))
    assert found
    return found


@pytest.mark.parametrize(
    ("condition", "message", "cause"),
    [
        (
            {"reason": "CONTAINER_MISSING"},
            NOT_READY + IMAGE,
            Cause.IMAGE_NOT_FOUND,
        ),
        ({"reason": "CONTAINER_MISSING"}, NOT_READY + "Container import failed:", Cause.REGISTRY_UNREACHABLE),
        ({}, NOT_READY + "Container import failed.", Cause.REGISTRY_UNREACHABLE),
        ({}, NOT_READY + IMAGE, Cause.IMAGE_NOT_FOUND),
        (
            {"reason": "CONTAINER_PERMISSION_DENIED"},
            "Google Cloud Run Service Agent must have permission to read the image, r/i.",
            Cause.IMAGE_FORBIDDEN,
        ),
        ({"reason": "CONTAINER_IMAGE_UNAUTHORIZED"}, "Denied by policy.", Cause.IMAGE_FORBIDDEN),
        (HEALTH, FAILED_TO_START, Cause.START_FAILED),
        (HEALTH, STARTED + "environment variable.  Exit code 1.", Cause.EXITED_AT_START),
        (HEALTH, "The container exited with an error.", Cause.EXITED_AT_START),
        (HEALTH, "Container called exit(0).", Cause.EXITED_AT_START),
        (
            HEALTH,
            STARTED + "The startup probe did not succeed within its allotted time. Exit code -9.",
            Cause.STARTUP_TIMEOUT,
        ),
        (HEALTH, "Memory limit of 512 MiB exceeded with 530 MiB used. Exit code -9.", Cause.OUT_OF_MEMORY),
        ({"reason": "INTERNAL"}, "The container ran out of memory.", Cause.OUT_OF_MEMORY),
        (HEALTH, "Volume limit of 256 MiB exceeded at workspace. Exit code -9.", Cause.DISK_FULL),
        ({"reason": "PROGRESS_DEADLINE_EXCEEDED"}, "Deadline exceeded.", Cause.STARTUP_TIMEOUT),
        ({"revision_reason": "MIN_INSTANCES_NOT_PROVISIONED"}, "", Cause.NO_CAPACITY),
        ({"reason": "SECRETS_ACCESS_CHECK_FAILED"}, "No access to secret s.", Cause.MISCONFIGURED),
        ({"reason": "ENCRYPTION_KEY_CHECK_FAILED"}, "", Cause.MISCONFIGURED),
        ({"reason": "VPC_NETWORK_NOT_FOUND"}, "", Cause.MISCONFIGURED),
        ({"reason": "INTERNAL"}, "Internal system error, system will retry.", Cause.PLATFORM_FAILED),
        (
            {"reason": "CONTAINER_MISSING"},
            "Image 'a@sha256:0' not found in the engine, and its registry could not be reached. Timeout.",
            Cause.REGISTRY_UNREACHABLE,
        ),
        (
            {"reason": "CONTAINER_MISSING"},
            "Image 'a@sha256:0' not found: neither the engine nor its registry has it. manifest unknown",
            Cause.IMAGE_NOT_FOUND,
        ),
        (
            {"reason": "CONTAINER_MISSING"},
            "Image 'a@sha256:0' cannot be fetched. The container engine does not answer: timed out",
            Cause.PLATFORM_FAILED,
        ),
        (HEALTH, "Cannot connect to the Docker daemon. Exit code None.", Cause.PLATFORM_FAILED),
        ({"reason": "REVISION_FAILED"}, "The revision failed.", Cause.START_FAILED),
        ({}, "", Cause.START_FAILED),
    ],
)
def test_each_kind_of_failure_has_its_cause(condition: dict[str, Any], message: str, cause: Cause) -> None:
    assert read(message=message, **condition).cause is cause


@pytest.mark.parametrize("reason", run_v2.Condition.CommonReason)
def test_every_reason_that_the_library_knows_is_read(reason: Any) -> None:
    assert read(reason=reason, message="What Cloud Run says.").message == "What Cloud Run says."


def test_the_log_is_split_off_the_message() -> None:
    """Words in the log decide nothing: it is the tenant's."""
    found = read(
        message="It failed. Exit code 3. Last lines of its log:\nfirst\n\x1b[31mout of memory\x1b[0m\n",
        **HEALTH,
    )

    assert found == Breakdown(Cause.EXITED_AT_START, "It failed. Exit code 3.", ("first", "out of memory"))


def test_a_long_log_does_not_push_out_the_message() -> None:
    found = read(message="It failed. Last lines of its log:\n" + "x\n" * 50_000, **HEALTH)

    assert (found.message, set(found.log), len(found.log)) == ("It failed.", {"x"}, 20)
