"""Where the to-dos are kept: one JSON file, replaced whole, so that it is never half written."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Todo:
    """One thing to do."""

    id: int
    text: str
    done: bool = False


class Store:
    """The to-dos of one file. A file that is not there yet is an empty list."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Todo]:
        """Every to-do, the oldest first."""
        if not self._path.exists():
            return []
        return [Todo(**fields) for fields in json.loads(self._path.read_text())]

    def add(self, text: str) -> Todo:
        """Remember something new; raises ValueError when it says nothing."""
        text = text.strip()
        if not text:
            raise ValueError("A to-do needs a text.")
        todos = self.all()
        new = Todo(id=max((todo.id for todo in todos), default=0) + 1, text=text)
        self._save([*todos, new])
        return new

    def finish(self, id_: int) -> Todo:
        """Tick one off; raises KeyError when there is none of this id."""
        todos = {todo.id: todo for todo in self.all()}
        todos[id_] = replace(todos[id_], done=True)
        self._save(list(todos.values()))
        return todos[id_]

    def _save(self, todos: list[Todo]) -> None:
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps([asdict(todo) for todo in todos], indent=2))
        os.replace(partial, self._path)
