"""HTTP of the proxy: for the kubelet's probes, and for load balancers that ask whether a Service has pods here.

`/readyz` says whether the rules are those of the API, `/livez` that we run; both on the pods' gateway address, for pods
of several clusters on one engine share the host's network. A Service's `healthCheckNodePort` answers on every address
as upstream's `pkg/proxy/healthcheck` does.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress

from kubelite.net.kind import Key

_PATIENCE_SECONDS = 1.0
_OK, _UNAVAILABLE, _NOT_FOUND = b"200 OK", b"503 Service Unavailable", b"404 Not Found"

log = logging.getLogger(__name__)


class _Answers(threading.Thread):
    """Answers the GETs at one port, each on a connection of its own."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__(name=name, daemon=True)
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
                path = connection.recv(4096).partition(b" ")[2].partition(b" ")[0]
                connection.sendall(_response(*self.answer(path)))

    def answer(self, path: bytes) -> tuple[bytes, bytes, Mapping[str, str]]:
        """Status, body, headers."""
        raise NotImplementedError


def _response(status: bytes, body: bytes, headers: Mapping[str, str]) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%bConnection: close\r\n\r\n%b" % (status, len(body), more, body)


class Health(_Answers):
    """`problem` is why the rules aren't there yet; "" once they are."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__("health", host, port)
        self.problem = "waiting for the API"

    def answer(self, path: bytes) -> tuple[bytes, bytes, Mapping[str, str]]:
        if path == b"/readyz" and self.problem:
            return _UNAVAILABLE, self.problem.encode(), {}
        return (_OK, b"ok", {}) if path in (b"/readyz", b"/livez") else (_NOT_FOUND, b"", {})


class _Check(_Answers):
    """One Service's; `endpoints` is how many ready pods it has on this node."""

    def __init__(self, key: Key, port: int, health: Health) -> None:
        super().__init__(f"health of {'/'.join(key)}", "", port)
        self.port = port
        self.endpoints = 0
        self._service = {"namespace": key[0], "name": key[1]}
        self._health = health

    def answer(self, path: bytes) -> tuple[bytes, bytes, Mapping[str, str]]:
        count, healthy = self.endpoints, not self._health.problem
        body = {"service": self._service, "localEndpoints": count, "serviceProxyHealthy": healthy}
        headers = {
            "Content-Type": "application/json",
            "X-Content-Type-Options": "nosniff",
            "X-Load-Balancing-Endpoint-Weight": str(count),
        }
        return _OK if count and healthy else _UNAVAILABLE, json.dumps(body).encode(), headers


class Checks:
    """The health check node ports of all Services."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._checks: dict[Key, _Check] = {}

    def put(self, key: Key, port: int, endpoints: int) -> None:
        """Answer for a Service at `port`, or no longer where that is 0."""
        check = self._checks.get(key)
        if check and check.port != port:
            self._checks.pop(key).close()
            check = None
        if not check and port:
            check = self._begin(key, port)
        if check:
            check.endpoints = endpoints

    def _begin(self, key: Key, port: int) -> _Check | None:
        try:
            check = self._checks[key] = _Check(key, port, self._health)
        except OSError as error:
            log.warning("%s/%s: its health check port %d can't be had: %s", *key, port, error)
            return None
        check.start()
        return check

    def close(self) -> None:
        for check in self._checks.values():
            check.close()
        self._checks.clear()
