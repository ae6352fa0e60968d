"""Which labels, annotations and descriptions does Cloud Run accept?"""

from __future__ import annotations

import re
from collections.abc import Mapping

from emulators.cloud_run.model.violations import Violations

FORBIDDEN_PREFIXES = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
)
MAX_LABELS = 64
MAX_LABEL_BYTES = 128
MAX_ANNOTATION_BYTES = 256 * 1024
MAX_DESCRIPTION = 512
_LONGEST_LABEL = 63
_ANNOTATION_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def check_labels(labels: Mapping[str, str], found: Violations) -> None:
    """At most 64 labels of lower-case keys and values, letters of any language, none in a namespace of the platform."""
    if len(labels) > MAX_LABELS:
        found.add("labels", f"{len(labels)} labels are more than the {MAX_LABELS} allowed.")
    for key, value in sorted(labels.items()):
        if _is_reserved(key):
            found.add("labels", _reserved(key))
        elif not (key[:1].isalpha() and _is_label_text(key)):
            found.add(
                "labels",
                f"Label key '{key}' must begin with a lower-case letter and hold at most {_LONGEST_LABEL} lower-case "
                "letters, digits, underscores and hyphens.",
            )
        if not _is_label_text(value):
            found.add(
                "labels",
                f"Label value '{value}' of '{key}' must hold at most {_LONGEST_LABEL} lower-case letters, digits, "
                "underscores and hyphens.",
            )


def check_annotations(annotations: Mapping[str, str], found: Violations) -> None:
    """Kubernetes keys, 256 KiB in all, none in a namespace of the platform."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MAX_ANNOTATION_BYTES:
        found.add("annotations", f"They hold {size} bytes, more than {MAX_ANNOTATION_BYTES}.")
    for key in sorted(annotations):
        if _is_reserved(key):
            found.add("annotations", _reserved(key))
        elif not _ANNOTATION_KEY.fullmatch(key):
            found.add("annotations", f"Annotation key '{key}' is not of the form name or prefix/name.")


def check_description(description: str, found: Violations) -> None:
    """At most 512 characters."""
    if len(description) > MAX_DESCRIPTION:
        found.add("description", f"It is longer than {MAX_DESCRIPTION} characters.")


def _is_label_text(text: str) -> bool:
    # Of alphabets without case every letter counts as lower case.
    plain = all(c in "_-" or c.isdigit() or (c.isalpha() and c == c.lower()) for c in text)
    return plain and len(text) <= _LONGEST_LABEL and len(text.encode()) <= MAX_LABEL_BYTES


def _is_reserved(key: str) -> bool:
    namespace = key.split("/")[0]
    return any(namespace == name or namespace.endswith(f".{name}") for name in FORBIDDEN_PREFIXES)


def _reserved(key: str) -> str:
    return f"'{key}' is in a namespace that is reserved for Cloud Run; use the field of the v2 API instead."
