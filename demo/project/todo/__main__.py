"""Serves the to-do list: python -m todo"""

import os
from pathlib import Path

import uvicorn

from todo.app import create_app

uvicorn.run(
    create_app(Path("todos.json")),
    host="127.0.0.1",
    port=int(os.environ.get("PORT", "3000")),
    access_log=False,
)
