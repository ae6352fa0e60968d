"""The entry points for functions-framework; it loads this one file."""

from functions.entry import api, cleanup, sweep

__all__ = ["api", "cleanup", "sweep"]
