"""HTTP for the kubelet's probes: `/readyz` says whether the rules are those of the API, `/livez` that we run.

On the pods' gateway address: pods of several clusters on one engine share the host's network.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_PATIENCE_SECONDS = 1.0


class Health(threading.Thread):
    """`problem` is why the rules aren't there yet; "" once they are."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(name="health", daemon=True)
        self.problem = "waiting for the API"
        self._socket = socket.create_server((host, port))
        self.address = self._socket.getsockname()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self.is_alive():
            self.join()
        self._socket.close()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(_PATIENCE_SECONDS)
                connection.sendall(self._answer(connection.recv(4096)))

    def _answer(self, request: bytes) -> bytes:
        path = request.partition(b" ")[2].partition(b" ")[0]
        if path == b"/readyz" and self.problem:
            status, body = b"503 Service Unavailable", self.problem.encode()
        elif path in (b"/readyz", b"/livez"):
            status, body = b"200 OK", b"ok"
        else:
            status, body = b"404 Not Found", b""
        return b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)
