"""Which Firestore client does this process use? One for each database, made when it is first asked for.

Making one costs a third of a second and threads, so importing makes none; and a channel does not survive a fork, so
a child makes its own.
"""

import os
from functools import lru_cache
from typing import Any

from google.cloud import firestore

DEFAULT_DATABASE = "(default)"


def client_for(project: str, database: str = DEFAULT_DATABASE) -> Any:
    """The process's client for one database; FIRESTORE_EMULATOR_HOST is the client's own affair."""
    return _client(project, database, os.getpid())


@lru_cache(maxsize=8)
def _client(project: str, database: str, _process: int) -> Any:
    return firestore.Client(project=project, database=database)
