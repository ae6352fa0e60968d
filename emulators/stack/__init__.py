"""The whole local cloud on one machine, health-gated and supervised."""

from emulators.stack.cloud import LocalCloud
from emulators.stack.component import StackError
from emulators.stack.options import Options

__all__ = ["LocalCloud", "Options", "StackError"]
