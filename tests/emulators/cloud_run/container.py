"""A tiny container for the tests: an HTTP and WebSocket server with one path for each thing that can go wrong.

It is run by path as the command of an `--image`; every path says what the test needs to know and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

SPIN = "while True: pass"


async def describe(request: Request) -> Response:
    return JSONResponse(
        {
            "pid": os.getpid(),
            "environment": dict(os.environ),
            "directory": os.getcwd(),
            "headers": [[name.decode(), value.decode()] for name, value in request.headers.raw],
        }
    )


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


async def stream(request: Request) -> Response:
    count = int(request.query_params["count"])
    delay = float(request.query_params["delay"])

    async def lines():
        for number in range(count):
            yield f"{number}\n"
            await asyncio.sleep(delay)

    return StreamingResponse(lines(), media_type="text/plain")


async def wait(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse(str(os.getpid()))


def spin(request: Request) -> Response:
    """Start a child that burns CPU; with detach=1 in a session of its own, orphaned at once."""
    command = [sys.executable, "-c", SPIN]
    if request.query_params.get("detach"):
        script = 'setsid "$@" & echo $! > child'
        subprocess.run(["sh", "-c", script, "sh", *command], check=True)
        return JSONResponse({"child": int(Path("child").read_text())})
    return JSONResponse({"child": subprocess.Popen(command).pid})


def fill(request: Request) -> Response:
    """Write into the workspace until it is full."""
    written = 0
    try:
        with open(Path(os.environ["WORKSPACE"]) / "big", "wb", buffering=0) as file:
            for _ in range(int(request.query_params["mib"])):
                written += file.write(b"x" * (1 << 20))
    except OSError as error:
        return JSONResponse({"written": written, "error": error.errno})
    return JSONResponse({"written": written, "error": None})


def files(_: Request) -> Response:
    return JSONResponse(sorted(os.listdir(os.environ["WORKSPACE"])))


async def eat(request: Request) -> Response:
    """Take memory and keep it."""
    hoard.append(bytearray(os.urandom(1 << 20) * int(request.query_params["mib"])))
    await asyncio.sleep(10)
    return PlainTextResponse("still alive")


async def gone(request: Request) -> Response:
    """Say in a file that the request has come, wait until its client has gone, then say that too."""
    touch("client-here")
    while (await request.receive())["type"] != "http.disconnect":
        continue
    touch("client-gone")
    return PlainTextResponse("")


def python(request: Request) -> Response:
    """Run the code in a process of its own: what can code in here do?"""
    ended = subprocess.run(
        [sys.executable, "-c", request.query_params["code"]], capture_output=True, text=True, timeout=60
    )
    return JSONResponse({"code": ended.returncode, "out": ended.stdout, "error": ended.stderr})


def health(request: Request) -> Response:
    """What probes ask: 503 for the first few, and again after `/sicken`."""
    asked.append(dict(request.headers))
    ill = len(asked) <= int(os.environ.get("ILL_FIRST", "0")) or Path("sick").exists()
    return PlainTextResponse("", 503 if ill else 200)


def probes(request: Request) -> Response:
    return JSONResponse(asked)


def sicken(request: Request) -> Response:
    touch("sick")
    return PlainTextResponse("")


async def leave(request: Request) -> Response:
    os._exit(int(request.query_params["code"]))


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(f"echo {await socket.receive_text()}")
    except WebSocketDisconnect:
        touch("socket-closed")


def touch(name: str) -> None:
    Path(name).touch()


@contextlib.asynccontextmanager
async def lifespan(_: Starlette):
    yield
    await asyncio.sleep(float(os.environ.get("SAVE_SECONDS", "0")))
    sys.stderr.write("saved\n")


def answer_grpc_health() -> None:
    """Speak nothing but grpc.health.v1; only where grpcio is installed, so not in the image."""
    import grpc  # noqa: PLC0415 - the image has none

    def check(request: bytes, _: grpc.ServicerContext) -> bytes:
        return b"\x08\x01" if request == b"\x0a\x02db" else b"\x08\x02"

    handler = grpc.unary_unary_rpc_method_handler(check)
    server = grpc.server(ThreadPoolExecutor(1))
    table = {"Check": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", table),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    server.start()
    server.wait_for_termination()


hoard: list[bytearray] = []
asked: list[dict[str, str]] = []
app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/echo", echo, methods=["POST"]),
        Route("/stream", stream),
        Route("/wait", wait),
        Route("/spin", spin),
        Route("/fill", fill),
        Route("/files", files),
        Route("/eat", eat),
        Route("/gone", gone),
        Route("/leave", leave),
        Route("/health", health),
        Route("/probes", probes),
        Route("/sicken", sicken),
        Route("/python", python),
        WebSocketRoute("/talk", talk),
        Route("/{path:path}", describe, methods=["GET", "POST"]),
    ],
)


def main() -> None:
    os.chdir(os.environ["HOME"])
    if os.environ.get("FAIL"):
        sys.exit("cannot start: the configuration is wrong")
    if os.environ.get("MUTE"):
        time.sleep(3600)
    if os.environ.get("GRPC_HEALTH"):
        answer_grpc_health()
    time.sleep(float(os.environ.get("START_SECONDS", "0")))
    host = os.environ.get("LISTEN_ON", "0.0.0.0")
    config = uvicorn.Config(app, host=host, port=int(os.environ["PORT"]), log_level="warning")
    server = uvicorn.Server(config)
    if os.environ.get("IGNORE_TERM"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.capture_signals = contextlib.nullcontext
    server.run()


if __name__ == "__main__":
    main()
