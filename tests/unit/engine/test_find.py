"""Which engine is asked first, and what counts as an answer."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kubelite.engine.find import Candidate, candidates, connect, find, probe


@pytest.fixture
def sockets() -> Iterator[Path]:
    with TemporaryDirectory(prefix="kl-") as directory:  # socket paths may not exceed 107 bytes
        yield Path(directory)


@pytest.fixture
def serve(sockets: Path) -> Iterator[Callable[[str, bytes], str]]:
    """Starts a server that gives every connection the same bytes; returns its address."""
    listeners: list[socket.socket] = []

    def start(name: str, answer: bytes) -> str:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(sockets / name))
        listener.listen()
        listeners.append(listener)

        def loop() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=loop, daemon=True).start()
        return f"unix://{sockets / name}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def http_answer(content: dict[str, object], status: str = "200 OK") -> bytes:
    body = json.dumps(content).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


VERSION: dict[str, object] = {"Version": "20.10.24", "ApiVersion": "1.41", "Arch": "amd64"}


def write_context(home: Path, name: str, host: str) -> Path:
    config = home / ".docker"
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    (config / "config.json").write_text(json.dumps({"currentContext": name}))
    return config / "contexts" / "tls" / key / "docker"


def urls(environ: dict[str, str], home: Path) -> list[str]:
    return [candidate.url for candidate in candidates(environ, home)]


def test_order_without_settings_is_default_socket_own_rootless_podman(tmp_path: Path) -> None:
    assert urls({"XDG_RUNTIME_DIR": "/run/user/7"}, tmp_path) == [
        "unix:///var/run/docker.sock",
        "unix:///run/kubelite/engine.sock",
        "unix:///run/user/7/docker.sock",
        "unix:///run/user/7/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    ]


def test_docker_host_comes_first_and_overrides_the_context(tmp_path: Path) -> None:
    write_context(tmp_path, "desktop", "unix:///desktop.sock")
    found = urls({"DOCKER_HOST": "tcp://engine:2375"}, tmp_path)
    assert found[0] == "tcp://engine:2375"
    assert "unix:///desktop.sock" not in found


def test_current_context_comes_before_the_default_socket(tmp_path: Path) -> None:
    write_context(tmp_path, "desktop", "unix:///desktop.sock")
    assert urls({}, tmp_path)[:2] == ["unix:///desktop.sock", "unix:///var/run/docker.sock"]


def test_context_named_in_the_environment_overrides_the_current_one(tmp_path: Path) -> None:
    write_context(tmp_path, "desktop", "unix:///desktop.sock")
    write_context(tmp_path, "other", "unix:///other.sock")
    assert urls({"DOCKER_CONTEXT": "desktop"}, tmp_path)[0] == "unix:///desktop.sock"


def test_context_with_certificates_uses_them(tmp_path: Path) -> None:
    certificates = write_context(tmp_path, "far", "tcp://far:2376")
    certificates.mkdir(parents=True)
    assert next(candidates({}, tmp_path)) == Candidate("tcp://far:2376", "docker context far", certificates)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"currentContext": "default"}', '{"currentContext": "gone"}'])
def test_context_that_says_nothing_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(content)
    assert urls({}, tmp_path)[0] == "unix:///var/run/docker.sock"


def test_engine_that_answers_is_described(serve: Callable[[str, bytes], str]) -> None:
    endpoint = probe(Candidate(serve("engine", http_answer(VERSION)), "here"))
    assert endpoint is not None
    assert (endpoint.version, endpoint.api_version, endpoint.architecture) == ("20.10.24", "1.41", "amd64")
    assert (endpoint.origin, endpoint.product) == ("here", "Docker")
    assert str(endpoint.socket) in endpoint.url


def test_podman_is_known_by_its_components(serve: Callable[[str, bytes], str]) -> None:
    answer = http_answer({**VERSION, "Components": [{"Name": "Podman Engine"}]})
    endpoint = probe(Candidate(serve("podman", answer), "here"))
    assert endpoint is not None
    assert endpoint.product == "Podman"


@pytest.mark.parametrize(
    "answer",
    [
        http_answer(VERSION, "503 Service Unavailable"),
        http_answer({"hello": "world"}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
def test_anything_but_an_engine_is_no_answer(serve: Callable[[str, bytes], str], answer: bytes) -> None:
    assert probe(Candidate(serve("other", answer), "here")) is None


def test_silent_socket_is_given_up_in_time(sockets: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sockets / "silent"))
        listener.listen()
        assert probe(Candidate(f"unix://{sockets / 'silent'}", "here"), timeout=0.05) is None


@pytest.mark.parametrize(
    "url", ["unix:///nowhere.sock", "ssh://host", "nonsense", "tcp://127.0.0.1:1", "npipe:////./x"]
)
def test_address_without_engine_is_no_answer(url: str) -> None:
    assert probe(Candidate(url, "here")) is None


def test_first_that_answers_is_found(
    serve: Callable[[str, bytes], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = serve("engine", http_answer(VERSION))
    write_context(tmp_path, "dead", "unix:///nowhere.sock")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("kubelite.engine.find.DEFAULT_SOCKET", Path(url.removeprefix("unix://")))
    endpoint = find()
    assert endpoint is not None
    assert (endpoint.url, endpoint.origin) == (url, "default socket")


def test_client_speaks_the_engines_version_and_keeps_as_many_connections_as_asked(
    serve: Callable[[str, bytes], str],
) -> None:
    endpoint = probe(Candidate(serve("engine", http_answer(VERSION)), "here"))
    assert endpoint is not None
    client = connect(endpoint, pool_size=33, timeout=7)
    assert client.api.api_version == "1.41"
    assert client.api.timeout == 7
    client.close()
