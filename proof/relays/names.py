"""What is a call named? By the method of Google's API that it is, without whom it is about."""

import re
from collections.abc import Callable, Sequence

Rules = Sequence[tuple[str, str, str]]
"""Method, pattern of the path, name; the first that fits."""

CLOUD_RUN: Rules = (
    ("POST", r"/v2/.*/services\?.*", "services.create"),
    ("GET", r"/v2/.*/services(\?.*)?", "services.list"),
    ("GET", r"/v2/.*/services/[^/]+", "services.get"),
    ("PATCH", r"/v2/.*/services/[^/]+", "services.patch"),
    ("DELETE", r"/v2/.*/services/[^/]+", "services.delete"),
)
CLOUD_STORAGE: Rules = (
    ("PUT", r"/.*X-Goog-Signature.*", "upload by the agent"),
    ("GET", r"/.*X-Goog-Signature.*", "download by the agent"),
    ("GET", r"/storage/v1/b/[^/]+/o(\?.*)?", "objects.list"),
    ("GET", r"/download/.*", "objects.download"),
    ("GET", r"/storage/v1/b/[^/]+/o/.*alt=media.*", "objects.download"),
    ("GET", r"/storage/v1/b/[^/]+/o/.*", "objects.get"),
    ("DELETE", r"/storage/v1/b/[^/]+/o/.*", "objects.delete"),
)
IDENTITY: Rules = (
    ("POST", r".*:signBlob", "signBlob"),
    ("GET", r"/oauth2/v3/certs", "certs"),
)
METADATA: Rules = (
    ("GET", r".*/identity\?.*", "identity token"),
    ("GET", r".*/token(\?.*)?", "access token"),
    ("GET", r".*", "metadata"),
)


def namer(rules: Rules) -> Callable[[str, str], str]:
    """Names by these rules; what none of them knows is named by its method and path."""
    known = [(method, re.compile(pattern), name) for method, pattern, name in rules]

    def name_of(method: str, path: str) -> str:
        found = (name for verb, pattern, name in known if verb == method and pattern.fullmatch(path))
        return next(found, f"{method} {path.partition('?')[0]}")

    return name_of
