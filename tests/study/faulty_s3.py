"""A local S3 server (moto) behind a proxy that slows down, answers with errors or cuts connections when told to.

moto asks for versions of common packages other than this project's, so it lives in an environment of its own; its
``moto_server`` is looked for on PATH, or where the variable MOTO_SERVER says.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Fault = int | float | str
"""An HTTP status to answer with; seconds to wait first (a float); or a connection reset: "cut" before the request has
reached the server, "cut inside" its body, "cut after" the server has done it."""
ERROR = b'<?xml version="1.0"?><Error><Code>%s</Code><Message>injected</Message></Error>'
CODES = {500: b"InternalError", 503: b"SlowDown", 403: b"AccessDenied", 404: b"NoSuchKey"}


class FaultyS3:
    """``uri(prefix)`` is a store; ``faults(method, path)`` decides what happens to a request, None being nothing."""

    def __init__(self, bucket: str = "study") -> None:
        self.bucket = bucket
        self.faults: Callable[[str, str], Fault | None] = lambda method, path: None
        self.requests: list[str] = []
        self.port = free_port()
        command = [moto_server(), "-H", "127.0.0.1", "-p", str(self.port)]
        self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.proxy = QuietServer(("127.0.0.1", 0), type("BoundProxy", (Proxy,), {"s3": self}))
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()
        self._create_bucket()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.proxy.server_address[1]}"

    def uri(self, prefix: str) -> str:
        return f"s3://{self.bucket}/{prefix}?region=us-east-1&scheme=http&endpoint_override={self.address}"

    def calm(self) -> None:
        """No more faults; forget the requests seen."""
        self.faults = lambda method, path: None
        self.requests.clear()

    def close(self) -> None:
        self.proxy.shutdown()
        self.proxy.server_close()
        self.server.kill()
        self.server.wait()

    def _create_bucket(self) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{self.bucket}", method="PUT")
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(request, timeout=10).close()
                return
            except OSError:
                assert time.monotonic() < deadline and self.server.poll() is None, "moto_server did not start"
                time.sleep(0.1)


class QuietServer(ThreadingHTTPServer):
    """Clients that are killed, and connections that are cut, are what this is for."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class Proxy(BaseHTTPRequestHandler):
    """Hands every request on to moto, after the fault that is due."""

    s3: FaultyS3
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.body()
        if body is None:
            self.close_connection = True
            return
        self.s3.requests.append(f"{self.command} {self.path}")
        fault = self.s3.faults(self.command, self.path)
        if isinstance(fault, float):
            time.sleep(fault)
        elif isinstance(fault, int):
            self.answer(fault, [("Content-Type", "application/xml")], ERROR % CODES[fault])
            return
        elif fault == "cut":
            self.cut()
            return
        server = http.client.HTTPConnection("127.0.0.1", self.s3.port, timeout=60)
        try:
            if fault == "cut inside":
                self.half(server, body)
                return
            server.request(self.command, self.path, body, self.forwarded())
            response = server.getresponse()
            content = response.read()
        finally:
            server.close()
        if fault == "cut after":
            self.cut()
        else:
            headers = [(k, v) for k, v in response.getheaders() if k.lower() not in ("connection", "transfer-encoding")]
            self.answer(response.status, headers, content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any

    def body(self) -> bytes | None:
        """The request's body; None if the client died before its end: a server drops such a request."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            length = int(self.headers.get("Content-Length", 0))
            content = self.rfile.read(length)
            return content if len(content) == length else None
        parts = []
        while size := self.chunk_size():
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return None if size is None else b"".join(parts)

    def chunk_size(self) -> int | None:
        line = self.rfile.readline()
        return int(line.split(b";")[0], 16) if line.strip() else None

    def forwarded(self) -> dict[str, str]:
        return {k: v for k, v in self.headers.items() if k.lower() not in ("expect", "transfer-encoding")}

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def half(self, server: http.client.HTTPConnection, body: bytes) -> None:
        """Promise the server the whole body, send half, and vanish on both sides."""
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in (self.forwarded() | {"Content-Length": str(len(body))}).items():
            server.putheader(name, value)
        server.endheaders()
        server.send(body[: len(body) // 2])
        self.cut()

    def cut(self) -> None:
        """Reset the connection (RST, not an orderly end)."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with suppress(OSError):
            self.connection.close()
        self.wfile = open(os.devnull, "wb")  # noqa: PTH123, SIM115 the handler's own clean-up flushes it

    def log_message(self, *_: object) -> None:
        pass


def moto_server() -> str:
    """The server's program. Skips the test, loudly, where there is none."""
    found = os.environ.get("MOTO_SERVER") or shutil.which("moto_server")
    if not found:
        pytest.skip("no moto_server: object storage is NOT tested; see CONTRIBUTING.md for its environment")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
