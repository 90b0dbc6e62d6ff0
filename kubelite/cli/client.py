"""A thin client of the API over HTTPS with a kubeconfig's certificate, for the commands; standard library only."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from kubelite.cli.failure import Failure
from kubelite.config import DEFAULT_NAME, Settings

Obj = dict[str, Any]

JSON = "application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
TIMEOUT_SECONDS = 30.0
_HUNG_UP = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


class ApiError(Exception):
    """An answer that is a Status: its HTTP code, reason, message and the causes in its details."""

    def __init__(self, status: Obj) -> None:
        super().__init__(status.get("message", "unknown error"))
        self.code = int(status.get("code") or 0)
        self.reason = str(status.get("reason") or "")
        self.message = str(status.get("message") or f"HTTP {self.code}")
        self.causes: list[dict[str, str]] = (status.get("details") or {}).get("causes") or []


class Client:
    """Requests one after another over one connection; `watch` opens its own. `warnings` are the last answer's."""

    def __init__(self, kubeconfig: Obj) -> None:
        self._cluster, self._user = _current(kubeconfig)
        self.server = str(self._cluster["server"])
        self.context = _tls(self._cluster, self._user)
        self._connection = self._connect(TIMEOUT_SECONDS)
        self.warnings: list[str] = []

    @classmethod
    def of(cls, settings: Settings) -> Client:
        """For a cluster of this machine; Failure when it has never been up."""
        try:
            content = settings.kubeconfig.read_bytes()
        except FileNotFoundError:
            raise not_up(settings) from None
        return cls(yaml.safe_load(content))

    def _connect(self, timeout: float | None) -> http.client.HTTPSConnection:
        address = urlsplit(self.server)
        return http.client.HTTPSConnection(address.hostname or "", address.port, timeout=timeout, context=self.context)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> Obj:
        return self.request("GET", path, query=query, accept=accept)

    def find(self, path: str) -> Obj | None:
        """As `get`, None when it is not there."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Obj]:
        found: list[Obj] = self.get(path, query).get("items") or []
        return found

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Obj:
        """The decoded answer; ApiError when the server refuses."""
        headers = {"Accept": accept} | ({"Content-Type": content_type} if body is not None else {})
        content = None if body is None else json.dumps(body).encode()
        return _decoded(self._exchange(method, _path(path, query), content, headers))

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """An answer that is no JSON: logs."""
        return self._exchange("GET", _path(path, query), None, {}).decode(errors="replace")

    def _exchange(self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]) -> bytes:
        idle = self._connection.sock is not None
        try:
            self._connection.request(method, target, content, dict(headers))
            answer = self._connection.getresponse()
            text = answer.read()
        except BaseException as error:
            # What is left of a request that ended early must not be taken for the next one's answer.
            self._connection.close()
            if idle and isinstance(error, _HUNG_UP):
                return self._exchange(method, target, content, headers)  # the server hung up on an idle connection
            raise
        self.warnings = [_warning(header) for header in answer.headers.get_all("Warning") or ()]
        if answer.status >= 400:
            raise ApiError({"code": answer.status, **_decoded(text)})
        return text

    def close(self) -> None:
        """A later request connects anew."""
        self._connection.close()

    def watch(self, path: str, query: Mapping[str, str], *, accept: str = JSON, timeout: float = 60) -> Iterator[Obj]:
        """Events of a watch; TimeoutError when none comes for `timeout` seconds."""
        with closing(self._connect(timeout)) as connection:
            connection.request("GET", _path(path, {**query, "watch": "1"}), headers={"Accept": accept})
            answer = connection.getresponse()
            if answer.status >= 400:
                raise ApiError({"code": answer.status, **_decoded(answer.read())})
            while line := answer.readline():
                yield json.loads(line)


def _path(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _warning(header: str) -> str:
    """The text of `299 - "text"`."""
    _, _, text = header.partition(' "')
    return re.sub(r"\\(.)", r"\1", text.removesuffix('"'))


def _decoded(text: bytes) -> Obj:
    try:
        value = json.loads(text or b"{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"message": text.decode(errors="replace").strip()}


def not_up(settings: Settings) -> Failure:
    option = "" if settings.name == DEFAULT_NAME else f" --name {settings.name}"
    return Failure(f"cluster {settings.name} is not up", f"type: kubelite up{option}")


def _current(kubeconfig: Obj) -> tuple[Obj, Obj]:
    """The cluster and the user of the current context."""

    def named(plural: str, singular: str, name: str) -> Obj:
        found: Obj = next(entry[singular] for entry in kubeconfig[plural] if entry["name"] == name)
        return found

    context = named("contexts", "context", kubeconfig["current-context"])
    return named("clusters", "cluster", context["cluster"]), named("users", "user", context["user"])


def _tls(cluster: Obj, user: Obj) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    # OpenSSL reads certificates from files only; this one never reaches a disk.
    descriptor = os.memfd_create("kubelite-client")
    try:
        os.write(descriptor, base64.b64decode(user["client-certificate-data"]))
        os.write(descriptor, base64.b64decode(user["client-key-data"]))
        context.load_cert_chain(Path(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)
    return context
