"""Which environment variables does Cloud Run accept?"""

from __future__ import annotations

from collections import Counter

from emulators.cloud_run.model.messages import ContainerMessage
from emulators.cloud_run.model.violations import Violations

MAX_VARIABLES = 1000
MAX_NAME = 32768
MAX_VALUE_BYTES = 32768
RESERVED_ENV = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_FORBIDDEN_PREFIX = "X_GOOGLE_"


def check_environment(container: ContainerMessage, found: Violations) -> None:
    """At most 1000 variables, each with a name of its own that the platform does not set, none too long."""
    names = Counter(variable.name for variable in container.env)
    if len(container.env) > MAX_VARIABLES:
        found.add("env", f"{len(container.env)} variables are more than the {MAX_VARIABLES} allowed.")
    if repeated := sorted(name for name, count in names.items() if count > 1):
        found.add("env", f"Given more than once: {', '.join(repeated)}.")
    if reserved := sorted(RESERVED_ENV & set(names)):
        found.add(
            "env",
            f"The following reserved env names were provided: {', '.join(reserved)}. "
            "These values are automatically set by the system.",
        )
    for number, variable in enumerate(container.env):
        _check_variable(variable.name, variable.value, found.within(f"env[{number}]"))


def _check_variable(name: str, value: str, found: Violations) -> None:
    if not name or "=" in name or name.startswith(_FORBIDDEN_PREFIX):
        found.add("name", f"'{name}' is not a name of a variable: not empty, no =, not {_FORBIDDEN_PREFIX}.")
    if "\0" in name or "\0" in value:
        found.add("value", f"{name!r} holds a zero byte, which no environment can.")
    if len(name) > MAX_NAME:
        found.add("name", f"It is longer than {MAX_NAME} characters.")
    if len(value.encode()) > MAX_VALUE_BYTES:
        found.add("value", f"The value of {name} is longer than {MAX_VALUE_BYTES} bytes.")
