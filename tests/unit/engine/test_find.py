"""Which engine is asked first, and what counts as an answer."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kubelite.engine import EngineError
from kubelite.engine.find import Candidate, candidates, chosen, connect, find, identity, probe


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


def test_order_without_choice_is_default_socket_own_rootless_podman() -> None:
    assert [candidate.url for candidate in candidates({"XDG_RUNTIME_DIR": "/run/user/7"})] == [
        "unix:///var/run/docker.sock",
        "unix:///run/kubelite/engine.sock",
        "unix:///run/user/7/docker.sock",
        "unix:///run/user/7/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    ]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "unix:///desktop.sock"),
        ({"DOCKER_CONTEXT": "other"}, "unix:///other.sock"),
        ({"DOCKER_HOST": "tcp://engine:2375"}, "tcp://engine:2375"),
        ({"DOCKER_HOST": "tcp://engine:2375", "DOCKER_CONTEXT": "other"}, "tcp://engine:2375"),
        ({"DOCKER_CONTEXT": "default"}, None),
    ],
)
def test_choice_is_docker_host_or_the_context_of_the_environment_or_the_current_one(
    environ: dict[str, str], expected: str | None, tmp_path: Path
) -> None:
    write_context(tmp_path, "other", "unix:///other.sock")
    write_context(tmp_path, "desktop", "unix:///desktop.sock")
    found = chosen(environ, tmp_path)
    assert (found.url if found else None) == expected


def test_context_with_certificates_uses_them(tmp_path: Path) -> None:
    certificates = write_context(tmp_path, "far", "tcp://far:2376")
    certificates.mkdir(parents=True)
    assert chosen({}, tmp_path) == Candidate("tcp://far:2376", "docker context far", certificates)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"currentContext": "default"}'])
def test_configuration_that_names_no_context_is_no_choice(tmp_path: Path, content: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(content)
    assert chosen({}, tmp_path) is None


def test_context_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="DOCKER_CONTEXT names the docker context gone, which is not there"):
        chosen({"DOCKER_CONTEXT": "gone"}, tmp_path)


@pytest.fixture
def answering(serve: Callable[[str, bytes], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """On the default socket, for a user whose home is `tmp_path` and who has chosen nothing yet."""
    url = serve("engine", http_answer(VERSION))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kubelite.engine.find.DEFAULT_SOCKET", Path(url.removeprefix("unix://")))
    return url


def test_without_a_choice_the_first_that_answers_is_found(answering: str) -> None:
    endpoint = find()
    assert endpoint is not None
    assert (endpoint.url, endpoint.origin) == (answering, "default socket")


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("unix:///nowhere.sock", "No such file or directory"),
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("ssh://host", "it is no address of a socket"),
    ],
)
def test_chosen_engine_that_does_not_answer_is_refused_though_another_one_would(
    answering: str, host: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EngineError, match="DOCKER_HOST names the container engine at ") as refused:
        find()
    assert host in refused.value.message
    assert why in refused.value.message
    assert "unset DOCKER_HOST" in refused.value.cure


def test_context_whose_engine_does_not_answer_is_refused(answering: str, tmp_path: Path) -> None:
    write_context(tmp_path, "dead", "unix:///nowhere.sock")
    with pytest.raises(EngineError, match=r"docker context dead names the container engine at unix:///nowhere\.sock"):
        find()


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


def test_engine_is_known_by_its_id_and_podman_by_its_address(serve: Callable[[str, bytes], str]) -> None:
    """Podman tells another ID each time."""
    both = http_answer({**VERSION, "ID": "AAAA", "DockerRootDir": "/data"})
    docker = probe(Candidate(serve("docker", both), "here"))
    assert docker is not None
    assert identity(docker) == "AAAA /data"
    assert identity(replace(docker, product="Podman")) == docker.url
    assert identity(replace(docker, url="unix:///nowhere.sock")) == ""


def test_client_speaks_the_engines_version_and_keeps_as_many_connections_as_asked(
    serve: Callable[[str, bytes], str],
) -> None:
    endpoint = probe(Candidate(serve("engine", http_answer(VERSION)), "here"))
    assert endpoint is not None
    client = connect(endpoint, pool_size=33, timeout=7)
    assert client.api.api_version == "1.41"
    assert client.api.timeout == 7
    client.close()
