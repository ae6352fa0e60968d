"""Serves the to-do list: python -m todo"""

import os
from pathlib import Path
from wsgiref.simple_server import make_server

from todo.app import App

with make_server("127.0.0.1", int(os.environ.get("PORT", "3000")), App(Path("todos.json"))) as server:
    server.serve_forever()
