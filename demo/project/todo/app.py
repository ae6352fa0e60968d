"""The to-do list on the web, as WSGI: a page for people, JSON for programs. The standard library is all it needs."""

import html
import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from todo.store import Store, Todo

# Every address is relative, so that the app also works below a prefix.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>To do</title>
<style>
  body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem }}
  .done {{ text-decoration: line-through; opacity: .5 }}
</style>
<h1>To do</h1>
<ul>{items}</ul>
<form method="post" action="todos"><input name="text" required autofocus> <button>Add</button></form>
</html>
"""
FORM = "application/x-www-form-urlencoded"

Environ = dict[str, Any]
Answer = tuple[HTTPStatus, dict[str, str], str]


class App:
    """The app over one file of to-dos."""

    def __init__(self, file: Path) -> None:
        self._store = Store(file)
        self._routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", r"/", self._page),
            ("GET", r"/todos", self._every),
            ("POST", r"/todos", self._add),
            ("POST", r"/todos/(\d+)/done", self._finish),
            ("GET", r"/health", self._health),
        ]

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        status, headers, text = self._answer(environ)
        body = text.encode()
        length = {"Content-Length": str(len(body))}
        start_response(f"{status.value} {status.phrase}", list({**headers, **length}.items()))
        return [body]

    def _answer(self, environ: Environ) -> Answer:
        for method, path, route in self._routes:
            match = re.fullmatch(path, environ["PATH_INFO"])
            if match and method == environ["REQUEST_METHOD"]:
                return route(environ, *match.groups())
        return _json({"error": "There is no such page."}, HTTPStatus.NOT_FOUND)

    def _page(self, _environ: Environ) -> Answer:
        page = PAGE.format(items="".join(_item(todo) for todo in self._store.all()))
        return HTTPStatus.OK, {"Content-Type": "text/html; charset=utf-8"}, page

    def _every(self, _environ: Environ) -> Answer:
        return _json([vars(todo) for todo in self._store.all()])

    def _add(self, environ: Environ) -> Answer:
        is_form = environ.get("CONTENT_TYPE", "").startswith(FORM)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            todo = self._store.add(_text(body, is_form))
        except ValueError as error:
            return _json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        if is_form:
            return HTTPStatus.SEE_OTHER, {"Location": "./"}, ""
        return _json(vars(todo), HTTPStatus.CREATED)

    def _finish(self, _environ: Environ, number: str) -> Answer:
        try:
            return _json(vars(self._store.finish(int(number))))
        except KeyError:
            return _json({"error": "There is no such to-do."}, HTTPStatus.NOT_FOUND)

    def _health(self, _environ: Environ) -> Answer:
        return _json({"status": "healthy", "todos": len(self._store.all())})


def _json(content: object, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content)


def _text(body: bytes, is_form: bool) -> str:
    """What is to be done; raises ValueError when the body does not say it."""
    if is_form:
        return parse_qs(body.decode()).get("text", [""])[0]
    sent = json.loads(body)
    text = sent.get("text") if isinstance(sent, dict) else None
    return text if isinstance(text, str) else ""


def _item(todo: Todo) -> str:
    return f'<li class="{"done" if todo.done else "open"}">{html.escape(todo.text)}</li>'
