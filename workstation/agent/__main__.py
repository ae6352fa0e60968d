"""Starts the agent: `python -m agent`. Listens on $PORT until SIGTERM, then closes within 8 seconds."""

import os
import sys
import threading
from types import FrameType

import uvicorn

from agent.activity.sampler import become_subreaper
from agent.app import Agent
from agent.settings import Settings, read_settings

CLOSE_SECONDS = 6
EXIT_SECONDS = 7.5
# Longer than Google's front end keeps an idle connection (600 s), so that we never close one under it.
KEEP_ALIVE_SECONDS = 620


class Server(uvicorn.Server):
    """A uvicorn server that tells the agent about SIGTERM as it comes, not when the requests have ended."""

    def __init__(self, config: uvicorn.Config, agent: Agent) -> None:
        super().__init__(config)
        self._agent = agent

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Close the agent's connections, and see to it that no stuck thread holds up the exit."""
        if not self.should_exit:
            self._agent.shut_down()
            last_resort = threading.Timer(EXIT_SECONDS, os._exit, args=(0,))
            last_resort.daemon = True
            last_resort.start()
        super().handle_exit(sig, frame)


def configure(settings: Settings, agent: Agent) -> uvicorn.Config:
    """Return how the agent is served."""
    return uvicorn.Config(
        agent.app,
        host=settings.bind,
        port=settings.port,
        http="httptools",
        ws="websockets-sansio",
        # A ping that meets a freeze would close a healthy connection after it.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
        # The user's server speaks for itself.
        server_header=False,
        date_header=False,
        access_log=False,
        log_level="warning",
    )


def main() -> int:
    """Run until told to stop; 2 when the environment is wrong."""
    try:
        settings = read_settings(os.environ)
    except ValueError as error:
        sys.stderr.write(f"The agent cannot start: {error}\n")
        return 2
    become_subreaper()
    agent = Agent(settings)
    Server(configure(settings, agent), agent).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
