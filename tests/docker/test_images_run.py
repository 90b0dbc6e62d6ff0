"""What the images do once they run: layout, start, signals, tools, and kubelite's code with all it imports."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubelite.engine import builder, images, processes, registry
from kubelite.engine.daemon import ensure
from kubelite.engine.find import connect
from kubelite.engine.images import State

LABELS = {"kubelite.test": "images"}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    made = connect(ensure(install_engine=True))
    images.ensure(made)
    yield made
    for container in made.containers.list(all=True, filters={"label": "kubelite.test=images"}):
        container.remove(force=True)
    made.close()


@pytest.fixture
def start(client: Any) -> Iterator[Callable[..., Any]]:
    started: list[Any] = []

    def run(image: str, *command: str, **options: Any) -> Any:
        container = client.containers.run(image, list(command) or None, detach=True, labels=LABELS, **options)
        started.append(container)
        return container

    yield run
    for container in started:
        container.remove(force=True)


def output(client: Any, image: str, *command: str) -> str:
    content: bytes = client.containers.run(image, list(command), remove=True, labels=LABELS, network_mode="none")
    return content.decode()


def address(container: Any) -> str:
    container.reload()
    found: str = container.attrs["NetworkSettings"]["IPAddress"]
    return found


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def seconds_to_stop(container: Any) -> float:
    started = time.monotonic()
    container.stop(timeout=10)
    return time.monotonic() - started


def test_every_image_is_current_and_says_so_in_milliseconds(client: Any) -> None:
    started = time.monotonic()
    found = images.status(client)
    took = time.monotonic() - started
    assert [image.name for image in found] == list(images.NAMES)
    assert {image.state for image in found} <= {State.CURRENT, State.FOREIGN}
    assert took < 0.25


@pytest.fixture
def served(start: Callable[..., Any]) -> Any:
    container = start(images.HTTPD)
    host = address(container)
    assert processes.wait_until(lambda: answers(host, 80), 5)
    return container


def test_httpd_serves_its_page_and_logs_to_stdout(served: Any) -> None:
    connection = http.client.HTTPConnection(address(served), 80, timeout=5)
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert (answer.status, body.strip()) == (200, b"<html><body><h1>It works!</h1></body></html>")
    assert processes.wait_until(lambda: b'"GET / HTTP/1.1" 200' in served.logs(stdout=True, stderr=False), 5)
    assert b"resuming normal operations" in served.logs(stdout=False, stderr=True)


def test_httpd_is_process_one_and_stops_and_starts_again_quickly(served: Any) -> None:
    assert served.exec_run(["cat", "/proc/1/comm"]).output == b"httpd\n"
    # Apache itself sleeps one second in a graceful stop.
    assert seconds_to_stop(served) < 1.5
    served.reload()
    assert served.attrs["State"]["ExitCode"] == 0
    served.start()
    host = address(served)
    assert processes.wait_until(lambda: answers(host, 80), 5)


def test_httpd_serves_what_a_volume_brings(start: Callable[..., Any], tmp_path: Any) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "pod").write_text("web-0\n")
    container = start(images.HTTPD, volumes={str(tmp_path): {"bind": "/usr/local/apache2/htdocs", "mode": "rw"}})
    host = address(container)
    assert processes.wait_until(lambda: answers(host, 80), 5)
    connection = http.client.HTTPConnection(host, 80, timeout=5)
    connection.request("GET", "/pod")
    assert connection.getresponse().read() == b"web-0\n"
    connection.close()


def test_httpd_has_the_layout_and_settings_of_the_official_image(client: Any) -> None:
    config = client.images.get(images.HTTPD).attrs["Config"]
    assert config["Cmd"] == ["httpd-foreground"]
    assert config["WorkingDir"] == "/usr/local/apache2"
    assert config["StopSignal"] == "SIGWINCH"
    assert "80/tcp" in config["ExposedPorts"]
    script = (
        "for tool in sh ls touch cat hostname getent httpd httpd-foreground; do command -v $tool >/dev/null || echo $tool;"
        " done; ls conf/httpd.conf htdocs/index.html logs; httpd -t 2>&1"
    )
    assert output(client, images.HTTPD, "sh", "-c", script).split("\n")[:2] == ["conf/httpd.conf", "htdocs/index.html"]
    assert "Syntax OK" in output(client, images.HTTPD, "sh", "-c", "httpd -t 2>&1")


def test_pause_waits_and_leaves_on_sigterm(start: Callable[..., Any]) -> None:
    container = start(images.PAUSE, network_mode="none")
    # A signal that comes before the engine's starter has become the program is lost on any image.
    assert processes.wait_until(lambda: container.top()["Processes"][0][-1] == "/pause -P", 5)
    assert seconds_to_stop(container) < 1


def test_pause_reaps_orphans_of_the_processes_in_its_namespace(start: Callable[..., Any]) -> None:
    pause = start(images.PAUSE, network_mode="none")
    beside = start(images.TOOLS, pid_mode=f"container:{pause.id}", network_mode="none")
    beside.exec_run(["sh", "-c", "(sh -c 'sleep 0.05 & exec true' &)"])

    def no_zombie() -> bool:
        listed = beside.exec_run(["ps", "-eo", "stat,comm"]).output.decode()
        return "sleep 0.05" not in listed and "Z" not in {line[:1] for line in listed.splitlines()}

    assert processes.wait_until(no_zombie, 5)


def test_pause_is_tiny(client: Any) -> None:
    assert client.images.get(images.PAUSE).attrs["Size"] < 2_000_000


def test_tools_are_there_and_the_default_command_stops_at_once(client: Any, start: Callable[..., Any]) -> None:
    script = "for t in nslookup dig curl wget nc sh ps ip sleep getent hostname; do command -v $t >/dev/null || echo $t; done"
    assert output(client, images.TOOLS, "sh", "-c", script) == ""
    container = start(images.TOOLS, network_mode="none")
    assert seconds_to_stop(container) < 1


def test_kubelite_image_imports_every_dependency_and_its_own_compiled_code(client: Any) -> None:
    modules = "aiohttp, cryptography.x509, dns.message, docker, jsonpatch, msgspec, jwt, yaml, uvloop, sqlite3, ssl"
    script = f"import {modules}, kubelite.config, os; print(os.path.exists(kubelite.config.__cached__))"
    assert output(client, images.KUBELITE, "python3", "-c", script) == "True\n"
    assert (
        output(client, images.KUBELITE, "sh", "-c", "command -v nft && command -v ip")
        == "/usr/sbin/nft\n/usr/sbin/ip\n"
    )


def test_kubelite_image_knows_itself_as_current(client: Any) -> None:
    script = "from kubelite.engine import sources; print(sources.code_hash())"
    labels = client.images.get(images.KUBELITE).labels
    assert output(client, images.KUBELITE, "python3", "-c", script).strip() == labels[images.LABEL_SOURCE]


@pytest.fixture
def tag(client: Any) -> Iterator[str]:
    name = f"kubelite-test/{uuid.uuid4().hex[:8]}:latest"
    yield name
    client.images.remove(name, force=True)


def test_tag_of_the_users_is_never_overwritten(client: Any, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "REFERENCES", {"pause": (tag,)})
    made = client.api.import_image_from_data(b"\0" * 1024, *registry.split(tag))
    assert made
    before = client.images.get(tag).id
    told: list[str] = []
    images.ensure(client, ["pause"], told.append)
    images.build(client, ["pause"], told.append)
    assert client.images.get(tag).id == before
    assert any("your own image" in line for line in told)


def test_outdated_image_is_rebuilt_and_the_old_one_removed(
    client: Any, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "REFERENCES", {"pause": (tag,)})
    monkeypatch.setattr(images, "source_hash", lambda name: "old")
    images.ensure(client, ["pause"])
    old = client.images.get(tag).id
    monkeypatch.setattr(images, "source_hash", lambda name: "new")
    assert images.status(client, ["pause"])[0].state is State.OUTDATED
    images.ensure(client, ["pause"])
    assert images.status(client, ["pause"])[0].state is State.CURRENT
    assert client.images.get(tag).id != old
    assert old not in {image.id for image in client.images.list(all=True)}
    stages = {"dangling": True, "label": f"{builder.STAGE_LABEL}=pause"}
    assert client.images.list(filters=stages) == []


def test_saved_image_loads(client: Any, tmp_path: Any) -> None:
    """What is told are the image's names, also those that it has from elsewhere."""
    archive = tmp_path / "pause.tar"
    image = client.images.get(images.PAUSE)
    archive.write_bytes(b"".join(image.save(named=images.PAUSE)))
    assert sorted(registry.load(client, archive)) == sorted(image.tags)


def test_builds_need_no_docker_command(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.run

    def refuse(command: Any, *rest: Any, **options: Any) -> Any:
        assert command[0] != "docker"
        return real(command, *rest, **options)

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setenv("PATH", "/usr/sbin:/sbin")
    images.build(client, ["pause"])
