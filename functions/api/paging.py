"""Page tokens: opaque, signed, and good only for the list they came from."""

from itsdangerous import BadSignature, URLSafeSerializer

from shared.domain.errors import InvalidArgument, Violation


class Pager:
    """The tokens of one user's one list."""

    def __init__(self, key: str, *of: str) -> None:
        self._serializer = URLSafeSerializer(key, salt="page-token")
        self._of = list(of)

    def write(self, after: str | None) -> str:
        """The token that continues after an id; empty at the end."""
        return str(self._serializer.dumps([*self._of, after])) if after else ""

    def read(self, token: str) -> str | None:
        """Raises InvalidArgument for a token of another list, or of nobody."""
        if not token:
            return None
        try:
            *of, after = self._serializer.loads(token)
        except (BadSignature, TypeError, ValueError):
            of, after = [], None
        if of != self._of or not isinstance(after, str):
            bad = Violation("pageToken", "not a token of this list; begin again without one")
            raise InvalidArgument("The page token cannot be used.", "INVALID_PAGE_TOKEN", violations=(bad,))
        return after
