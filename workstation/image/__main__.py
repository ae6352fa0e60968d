"""Starts the agent that lies beside this file: `python3 -IS DIRECTORY`, with nothing on the path but that directory."""

import signal
import sys

# Process 1 has no default actions: until the agent's own handler stands, nothing else would end it. The server raises
# a signal again that it has obeyed, and an end in order is 0.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

from agent.__main__ import main  # noqa: E402

sys.exit(main())
