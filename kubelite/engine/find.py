"""Find an engine that answers, in the order in which users choose one.

DOCKER_HOST, else the docker CLI's current context, is the user's own choice, and no other engine stands in for it.
Without one: the default socket, the private daemon's socket, rootless Docker, Podman. Lies on the path of
`kubelite up`, so the probe is one plain HTTP request; the SDK loads in `connect` only.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubelite.engine import EngineError

if TYPE_CHECKING:
    import docker

DEFAULT_SOCKET = Path("/var/run/docker.sock")
PRIVATE_SOCKET = Path("/run/kubelite/engine.sock")
PROBE_SECONDS = 3.0
INFO_SECONDS = 10.0  # a busy engine counts its containers for it


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address worth a try; `tls` is the directory of ca.pem, cert.pem and key.pem."""

    url: str
    origin: str
    tls: Path | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine that answered: its address, who named it, and what it said of itself."""

    url: str
    origin: str
    version: str
    api_version: str
    architecture: str
    product: str
    tls: Path | None = None

    @property
    def socket(self) -> Path | None:
        """The engine's socket file, when it has one."""
        return _socket(self.url)


class ChosenEngineSilent(EngineError):
    """The engine that the user chose doesn't answer at `socket` (when its address is one)."""

    def __init__(self, candidate: Candidate, why: str) -> None:
        another = "unset DOCKER_HOST" if candidate.origin == "DOCKER_HOST" else "docker context use default"
        super().__init__(
            f"{candidate.origin} names the container engine at {candidate.url}, where none answers: {why}",
            f"start that engine, or choose another one: {another}",
        )
        self.socket = _socket(candidate.url)


def _socket(url: str) -> Path | None:
    return Path(url.removeprefix("unix://")) if url.startswith("unix://") else None


def chosen(environ: Mapping[str, str], home: Path) -> Candidate | None:
    """The engine that the user named; None when the choice is left to kubelite."""
    if host := environ.get("DOCKER_HOST"):
        certificates = Path(environ.get("DOCKER_CERT_PATH") or home / ".docker")
        return Candidate(host, "DOCKER_HOST", certificates if environ.get("DOCKER_TLS_VERIFY") else None)
    return _context(environ, home)


def candidates(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """Where an engine may be when nobody named one, in order of preference."""
    yield Candidate(f"unix://{DEFAULT_SOCKET}", "default socket")
    yield Candidate(f"unix://{PRIVATE_SOCKET}", "kubelite's own engine")
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield Candidate(f"unix://{runtime}/docker.sock", "rootless Docker")
    yield Candidate(f"unix://{runtime}/podman/podman.sock", "rootless Podman")
    yield Candidate("unix:///run/podman/podman.sock", "Podman")


def _context(environ: Mapping[str, str], home: Path) -> Candidate | None:
    """The docker CLI's current context; `default` is none, it stands for the default socket."""
    config = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    name = environ.get("DOCKER_CONTEXT") or _read_json(config / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = _read_json(config / "contexts" / "meta" / key / "meta.json")
    host = meta.get("Endpoints", {}).get("docker", {}).get("Host")
    certificates = config / "contexts" / "tls" / key / "docker"
    if not host:
        where = "DOCKER_CONTEXT" if environ.get("DOCKER_CONTEXT") else config / "config.json"
        raise EngineError(
            f"{where} names the docker context {name}, which is not there or has no address",
            "see: docker context ls; to choose another one: docker context use default",
        )
    return Candidate(host, f"docker context {name}", certificates if certificates.is_dir() else None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(candidate: Candidate, timeout: float) -> http.client.HTTPConnection | None:
    address = urlsplit(candidate.url)
    if address.scheme == "unix":
        return _UnixConnection(address.path, timeout)
    if address.scheme not in ("tcp", "http", "https") or not address.hostname:
        return None
    if not candidate.tls and address.scheme != "https":
        return http.client.HTTPConnection(address.hostname, address.port or 2375, timeout=timeout)
    return http.client.HTTPSConnection(
        address.hostname, address.port or 2376, timeout=timeout, context=_tls_context(candidate.tls)
    )


def _tls_context(certificates: Path | None) -> ssl.SSLContext:
    authority = certificates / "ca.pem" if certificates else None
    context = ssl.create_default_context(cafile=authority if authority and authority.exists() else None)
    if certificates and (certificates / "cert.pem").exists():
        context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    return context


def probe(candidate: Candidate, timeout: float = PROBE_SECONDS) -> Endpoint | None:
    """Ask for the engine's version; None when nobody answers in time or it is no engine."""
    try:
        return _ask(candidate, timeout)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def _ask(candidate: Candidate, timeout: float) -> Endpoint:
    content = _get(candidate, "/version", timeout)
    if "ApiVersion" not in content:
        raise ValueError("what answers is no container engine")
    return _endpoint(candidate, content)


def _get(candidate: Candidate, path: str, timeout: float) -> dict[str, Any]:
    """What the engine answers, {} when that is no JSON object."""
    connection = _connection(candidate, timeout)
    if connection is None:
        raise ValueError("it is no address of a socket (unix://...) or of a port (tcp://...)")
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        content = json.loads(answer.read()) if answer.status == 200 else {}
    return content if isinstance(content, dict) else {}


def identity(endpoint: Endpoint) -> str:
    """Which engine it is, whatever address it answers at; "" when it doesn't say.

    Until Docker 23 the ID was the machine's, so the directory tells apart two engines of one machine.
    """
    if endpoint.product == "Podman":
        return endpoint.url  # its ID is another one in each answer
    try:
        info = _get(Candidate(endpoint.url, endpoint.origin, endpoint.tls), "/info", INFO_SECONDS)
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    return f"{info['ID']} {info.get('DockerRootDir', '')}" if info.get("ID") else ""


def _endpoint(candidate: Candidate, version: Mapping[str, Any]) -> Endpoint:
    components = [component.get("Name", "") for component in version.get("Components") or ()]
    return Endpoint(
        url=candidate.url,
        origin=candidate.origin,
        version=version.get("Version", ""),
        api_version=version["ApiVersion"],
        architecture=version.get("Arch", ""),
        product="Podman" if "Podman Engine" in components else "Docker",
        tls=candidate.tls,
    )


def find() -> Endpoint | None:
    """The engine that the user chose, ChosenEngineSilent when it doesn't answer; else the first that answers."""
    if (choice := chosen(os.environ, Path.home())) is not None:
        try:
            return _ask(choice, PROBE_SECONDS)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ChosenEngineSilent(choice, _reason(error)) from None
    tried: set[str] = set()
    for candidate in candidates(os.environ):
        if candidate.url in tried:
            continue
        tried.add(candidate.url)
        if endpoint := probe(candidate):
            return endpoint
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {PROBE_SECONDS:g} s"
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def connect(endpoint: Endpoint, pool_size: int = 16, timeout: float = 60) -> docker.DockerClient:
    """An SDK client; `pool_size` is how many requests may be under way at once."""
    import docker.constants
    import docker.tls

    newest = docker.constants.DEFAULT_DOCKER_API_VERSION
    version = min(endpoint.api_version, newest, key=lambda text: [int(part) for part in text.split(".")])
    tls = None
    if endpoint.tls:
        directory = endpoint.tls
        tls = docker.tls.TLSConfig(
            client_cert=(str(directory / "cert.pem"), str(directory / "key.pem")),
            ca_cert=str(directory / "ca.pem"),
            verify=True,
        )
    return docker.DockerClient(
        base_url=endpoint.url, version=version, timeout=timeout, tls=tls, max_pool_size=pool_size
    )
