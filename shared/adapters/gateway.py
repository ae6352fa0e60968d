"""Asking the gateway to hold a workstation, as this process's own account."""

from shared.adapters.agent.exchange import Exchange
from shared.domain.errors import Unavailable
from shared.domain.names import WorkstationId
from shared.ports import Tokens

ANSWER_SECONDS = 10.0


class GatewayHolds:
    """The Holds of the gateway at `url`. Safe for threads."""

    def __init__(self, url: str, tokens: Tokens) -> None:
        self._url = url
        self._tokens = tokens
        self._exchange = Exchange()

    def begin(self, id_: WorkstationId) -> None:
        """Answered once the hold stands in the record. Raises Unavailable."""
        reply = self._exchange.call(
            "POST",
            f"{self._url}/-/holds/{id_}",
            headers={"authorization": f"Bearer {self._tokens.token(self._url)}"},
            content=b"",
            seconds=ANSWER_SECONDS,
        )
        if reply.status >= 300:
            raise Unavailable(
                f"The gateway answers a hold with {reply.status}; it is asked again by the next sweep.",
                reason="HOLD_REFUSED",
            )
