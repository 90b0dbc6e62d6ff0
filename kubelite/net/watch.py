"""Follows the API: lists a kind, then watches it, for as long as the process runs. Used by the DNS and proxy pods.

One thread per kind reads a plain `http.client` stream and posts each change to whoever keeps the state: an
asynchronous HTTP client would double the time such a process takes to start. While the API is away the last known
state stays. Follows the API conventions' "efficient detection of changes".
"""

from __future__ import annotations

import http
import http.client
import logging
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import msgspec

from kubelite.net.kind import Key, Kind, key_of

CONNECT_SECONDS = 5.0
WATCH_SECONDS = (300, 600)
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is and what proves who asks: a directory as mounted for a service account."""

    server: str
    credentials: Path
    agent: str

    def connect(self) -> http.client.HTTPConnection:
        url = urlsplit(self.server)
        assert url.hostname
        if url.scheme == "http":
            return http.client.HTTPConnection(url.hostname, url.port, timeout=CONNECT_SECONDS)
        authority = self.credentials / "ca.crt"
        context = ssl.create_default_context(cafile=authority if authority.exists() else None)
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=CONNECT_SECONDS, context=context)

    def headers(self) -> dict[str, str]:
        """The token is read for each request: it is renewed under way."""
        headers = {"Accept": "application/json", "User-Agent": self.agent}
        token = self.credentials / "token"
        if token.exists():
            headers["Authorization"] = f"Bearer {token.read_text().strip()}"
        return headers


class Gone(Exception):
    """The server no longer has the changes since the version we know: list again."""


class Unavailable(Exception):
    """The server answered, but not with what was asked for."""


class State(Protocol):
    """What keeps the entries; each answer tells whether anything is different now."""

    def put(self, entry: Any) -> bool: ...

    def drop(self, kind: type[Any], key: Key) -> bool: ...

    def replace(self, kind: type[Any], entries: Iterable[Any]) -> bool:
        """Take a complete list: what it lacks is gone."""
        ...


Change = Callable[[State], bool]


class Follower(threading.Thread):
    """One kind's list and watch. A daemon thread: the process needn't wait for its socket to end."""

    def __init__(self, access: Access, kind: Kind[Any], post: Callable[[Change], None]) -> None:
        super().__init__(name=kind.path, daemon=True)
        self._access = access
        self._kind = kind
        self._post = post
        self._version = ""
        self._socket: socket.socket | None = None
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self.join()

    def run(self) -> None:
        pause = SHORTEST_PAUSE
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                self._follow()
            except Gone:
                self._version = ""
            except Exception as problem:
                if not self._closed.is_set():
                    log.warning("%s: %r; trying again", self._kind.path, problem)
            pause = SHORTEST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            self._closed.wait(pause * random.uniform(0.5, 1.0))

    def _follow(self) -> None:
        """List if the state is unknown, else take up the watch where it broke off."""
        if not self._version:
            self._list()
        self._watch()

    def _list(self) -> None:
        with self._get({}) as response:
            answer = msgspec.json.decode(response.read())
        entries = [self._kind.read(obj) for obj in answer.get("items") or ()]
        self._post(lambda state: state.replace(self._kind.entry, entries))
        self._version = answer["metadata"]["resourceVersion"]

    def _watch(self) -> None:
        seconds = random.randint(*WATCH_SECONDS)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        with self._get(query, silence=seconds + CONNECT_SECONDS) as response:
            while line := response.readline():
                self._take(msgspec.json.decode(line))

    def _take(self, event: dict[str, Any]) -> None:
        obj = event["object"]
        if event["type"] == "ERROR":
            raise Gone if obj.get("code") == http.HTTPStatus.GONE else Unavailable(obj.get("message"))
        if event["type"] == "DELETED":
            key = key_of(obj)
            self._post(lambda state: state.drop(self._kind.entry, key))
        elif event["type"] != "BOOKMARK":
            entry = self._kind.read(obj)
            self._post(lambda state: state.put(entry))
        self._version = obj["metadata"]["resourceVersion"]

    @contextmanager
    def _get(self, query: dict[str, str], silence: float = CONNECT_SECONDS) -> Iterator[http.client.HTTPResponse]:
        """One request on a connection of its own; `silence` is how long the server may say nothing."""
        connection = self._access.connect()
        try:
            connection.connect()
            self._socket = connection.sock
            keep_alive(self._socket)
            self._socket.settimeout(silence)
            if self._closed.is_set():
                raise ConnectionAbortedError
            connection.request("GET", f"{self._kind.path}?{urlencode(query)}", headers=self._access.headers())
            with connection.getresponse() as response:
                if response.status == http.HTTPStatus.GONE:
                    raise Gone
                if response.status != http.HTTPStatus.OK:
                    raise Unavailable(f"{response.status} {response.reason}")
                yield response
        finally:
            self._socket = None
            connection.close()


def keep_alive(sock: socket.socket) -> None:
    """Notice within seconds that the other side is gone without a word."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
