"""What the test of probes runs in its container: HTTP, HTTPS and the gRPC health service, on three ports.

HTTP answers whoever sends the right headers, gRPC knows the service `db`. The log has a line for each request answered.
"""

from __future__ import annotations

import http.server
import socketserver
import ssl
import threading
from pathlib import Path

HTTP, HTTPS, GRPC = 8080, 8443, 9000
TLS = Path("/tls")
SERVING, NOT_SERVING = 1, 2
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers["X-Probe"] == "right" and self.headers["Host"] == "probed.example"
        self.send_response(200 if known else 403)
        self.end_headers()

    def log_message(self, format: str, *words: object) -> None:
        print(self.server.server_port, self.headers["User-Agent"], words[1], flush=True)  # type: ignore[attr-defined]


class Health(socketserver.StreamRequestHandler):
    """As much of HTTP/2 as one call needs."""

    def handle(self) -> None:
        self.rfile.read(24)
        self._send(SETTINGS, 0, 0, b"")
        while head := self.rfile.read(9):
            payload = self.rfile.read(int.from_bytes(head[:3], "big"))
            if head[3] == DATA:
                self._answer(SERVING if payload.endswith(b"\x02db") else NOT_SERVING)

    def _answer(self, status: int) -> None:
        self._send(HEADERS, END_HEADERS, 1, b"\x88" + _field("content-type", "application/grpc"))
        self._send(DATA, 0, 1, b"\0\0\0\0\x02\x08" + bytes([status]))
        self._send(HEADERS, END_STREAM | END_HEADERS, 1, _field("grpc-status", "0"))

    def _send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.wfile.write(len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload)


def _field(name: str, value: str) -> bytes:
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def main() -> None:
    plain = http.server.ThreadingHTTPServer(("", HTTP), Page)
    secure = http.server.ThreadingHTTPServer(("", HTTPS), Page)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "tls.crt", TLS / "tls.key")
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    health = socketserver.ThreadingTCPServer(("", GRPC), Health)
    for server in (plain, secure, health):
        threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main()
