"""Which labels, annotations and descriptions does Cloud Run accept?"""

from __future__ import annotations

import re
from collections.abc import Mapping

from emulators.cloud_run.model.errors import invalid

FORBIDDEN_PREFIXES = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
)
MAX_LABELS = 64
MAX_ANNOTATION_BYTES = 256 * 1024
MAX_DESCRIPTION = 512
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_ANNOTATION_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def check_labels(labels: Mapping[str, str], field: str) -> None:
    """At most 64 labels of lowercase keys and values, none in a namespace of the platform."""
    if len(labels) > MAX_LABELS:
        raise invalid(field, f"{len(labels)} labels are more than the {MAX_LABELS} allowed.")
    for key, value in labels.items():
        _check_namespace(key, field)
        if not _LABEL_KEY.fullmatch(key):
            raise invalid(
                field,
                f"Label key '{key}' must begin with a lowercase letter and hold at most 63 lowercase "
                "letters, digits, underscores and hyphens.",
            )
        if not _LABEL_VALUE.fullmatch(value):
            raise invalid(
                field,
                f"Label value '{value}' of '{key}' must hold at most 63 lowercase letters, digits, "
                "underscores and hyphens.",
            )


def check_annotations(annotations: Mapping[str, str], field: str) -> None:
    """Kubernetes keys, 256 KiB in all, none in a namespace of the platform."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MAX_ANNOTATION_BYTES:
        raise invalid(field, f"Annotations hold {size} bytes, more than {MAX_ANNOTATION_BYTES}.")
    for key in annotations:
        _check_namespace(key, field)
        if not _ANNOTATION_KEY.fullmatch(key):
            raise invalid(field, f"Annotation key '{key}' is not of the form name or prefix/name.")


def check_description(description: str) -> None:
    """At most 512 characters."""
    if len(description) > MAX_DESCRIPTION:
        raise invalid("service.description", f"The description is longer than {MAX_DESCRIPTION} characters.")


def _check_namespace(key: str, field: str) -> None:
    namespace = key.split("/")[0]
    if any(namespace == name or namespace.endswith(f".{name}") for name in FORBIDDEN_PREFIXES):
        raise invalid(field, f"'{key}' is in a namespace that is reserved for Cloud Run.")
