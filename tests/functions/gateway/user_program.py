"""What a user runs in a workstation: a small web server that shows what it was sent, and streams."""

import asyncio
import hashlib
import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


async def show(request: Request) -> Response:
    """What arrived."""
    body = await request.body()
    target = request.scope["raw_path"] + (
        b"?" + request.scope["query_string"] if request.scope["query_string"] else b""
    )
    headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw]
    return JSONResponse(
        {"target": target.decode(), "method": request.method, "headers": headers, "size": len(body)}
    )


async def digest(request: Request) -> Response:
    """Read a body of any size."""
    sha256, size = hashlib.sha256(), 0
    async for piece in request.stream():
        sha256.update(piece)
        size += len(piece)
    announced = request.headers.get("content-length")
    return JSONResponse({"size": size, "sha256": sha256.hexdigest(), "announced": announced})


async def events(_request: Request) -> Response:
    """Five events, each with the time at which it was sent."""

    async def stream():
        for _ in range(5):
            yield f"data: {time.time()}\n\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(stream(), media_type="text/event-stream")


async def silence(_request: Request) -> Response:
    """One event, then nothing."""

    async def stream():
        yield "data: hello\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(stream(), media_type="text/event-stream")


async def endless(request: Request) -> Response:
    """As long as somebody listens."""

    async def stream():
        while not await request.is_disconnected():
            yield b"x" * 65536

    return StreamingResponse(stream())


async def greedy(_request: Request) -> Response:
    """An answer that wants more than a page may have."""
    response = Response("<script>1</script>", media_type="text/html")
    for name, value in {
        "Service-Worker-Allowed": "/",
        "Clear-Site-Data": '"*"',
        "Dormouse-Gate": "QUIESCED",
        "Dormouse-Exec": "forged",
        "Strict-Transport-Security": "max-age=1",
        "Content-Security-Policy": "default-src 'self'",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "X-Kept": "yes",
    }.items():
        response.headers[name] = value
    for cookie in (
        "a=1; Domain=example.com; Path=/; HttpOnly",
        "__Host-dormouse-session=forged; Path=/",
        "b=2",
    ):
        response.headers.append("set-cookie", cookie)
    return response


async def unavailable(_request: Request) -> Response:
    return Response("full", 503, headers={"Dormouse-Gate": "EMPTY", "Retry-After": "7"})


async def away(_request: Request) -> Response:
    return RedirectResponse("http://169.254.169.254/")


async def echo(socket: WebSocket) -> None:
    """Says where it was called and by which subprotocol, then repeats."""
    await socket.accept("chat" if "chat" in socket.scope["subprotocols"] else None)
    await socket.send_json(
        {
            "target": socket.scope["raw_path"].decode() + "?" + socket.scope["query_string"].decode(),
            "headers": [(name.decode(), value.decode()) for name, value in socket.headers.raw],
        }
    )
    async for message in _messages(socket):
        if message == "leave":
            await socket.close(4321, "enough")
            return
        await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_text(message))


async def refuse(socket: WebSocket) -> None:
    await socket.send_denial_response(Response("not here", 418))


async def _messages(socket: WebSocket):
    while (message := await socket.receive())["type"] == "websocket.receive":
        yield message["text"] if message.get("text") is not None else message["bytes"]


EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

program = Starlette(
    routes=[
        Route("/digest", digest, methods=["PUT", "POST"]),
        Route("/events", events),
        Route("/silence", silence),
        Route("/endless", endless),
        Route("/greedy", greedy),
        Route("/unavailable", unavailable),
        Route("/away", away),
        WebSocketRoute("/refuse", refuse),
        WebSocketRoute("/{path:path}", echo),
        Route("/{path:path}", show, methods=EVERY),
    ]
)
