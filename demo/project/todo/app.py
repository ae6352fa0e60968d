"""The to-do list on the web: a page for people, JSON for programs."""

import html
import json
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

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


def create_app(file: Path) -> Starlette:
    """The app over one file of to-dos."""
    store = Store(file)

    async def page(_request: Request) -> Response:
        return HTMLResponse(PAGE.format(items="".join(_item(todo) for todo in store.all())))

    async def every(_request: Request) -> Response:
        return JSONResponse([vars(todo) for todo in store.all()])

    async def add(request: Request) -> Response:
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        try:
            todo = store.add(_text(await request.body(), is_form))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        return RedirectResponse("./", 303) if is_form else JSONResponse(vars(todo), 201)

    async def finish(request: Request) -> Response:
        try:
            return JSONResponse(vars(store.finish(request.path_params["id"])))
        except KeyError:
            return JSONResponse({"error": "There is no such to-do."}, 404)

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "healthy", "todos": len(store.all())})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/todos", every),
            Route("/todos", add, methods=["POST"]),
            Route("/todos/{id:int}/done", finish, methods=["POST"]),
            Route("/health", health),
        ]
    )


def _text(body: bytes, is_form: bool) -> str:
    """What is to be done; raises ValueError when the body does not say it."""
    if is_form:
        return parse_qs(body.decode()).get("text", [""])[0]
    sent = json.loads(body)
    text = sent.get("text") if isinstance(sent, dict) else None
    return text if isinstance(text, str) else ""


def _item(todo: Todo) -> str:
    return f'<li class="{"done" if todo.done else "open"}">{html.escape(todo.text)}</li>'
