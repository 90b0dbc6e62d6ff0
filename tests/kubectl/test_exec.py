"""`kubectl exec`, `attach`, `cp`, `port-forward`: SPDY with older clients, WebSocket with newer ones."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.kubectl.shell import Shell, every_version

# The terminal's size follows the start of the command.
_SIZED = 'until [ "$(stty size)" != "0 0" ]; do sleep 0.02; done'


@every_version
def test_exec_gives_output_and_exit_code(shared: Shell) -> None:
    assert shared.ok("exec web-0 -- hostname") == "web-0\n"
    done = shared.run("exec web-0 -- sh -c 'echo out; echo err >&2; exit 7'")
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr == "err\ncommand terminated with exit code 7\n"


@every_version
def test_exec_with_stdin(shared: Shell) -> None:
    assert shared.ok("exec -i web-0 -- cat", input="a\nb\n") == "a\nb\n"
    much = "0123456789abcdef" * 60_000
    digest = hashlib.sha256(much.encode()).hexdigest()
    assert shared.ok("exec -i web-0 -- sha256sum", input=much).split()[0] == digest


@every_version
def test_exec_passes_much_output(shared: Shell) -> None:
    answer = shared.ok("exec web-0 -- sh -c 'seq 200000'")
    assert answer == "".join(f"{number}\n" for number in range(1, 200_001))


def test_exec_chooses_container_and_workload(shared: Shell) -> None:
    assert shared.ok("exec two -c second -- cat /proc/1/comm") == "sleep\n"
    assert shared.ok("exec statefulset/web -- hostname").startswith("web-")
    done = shared.run("exec two -- true")
    assert (done.returncode, "efault" in done.stderr) == (0, True)  # it says which of the two it takes


@every_version
def test_exec_on_a_terminal(shared: Shell) -> None:
    answer = shared.typed(
        f"exec -it web-0 -- sh -c '{_SIZED}; stty size; test -t 0 && echo terminal; exit 3'", size=(31, 97)
    )
    assert answer.text.splitlines()[:2] == ["31 97", "terminal"]
    assert answer.code == 3


def test_shell_on_a_terminal_takes_what_is_typed(shared: Shell) -> None:
    answer = shared.typed("exec -it web-0 -- sh", typed="echo $((6 * 7))\nexit\n")
    assert re.search("^(# )?42$", answer.text, re.MULTILINE), answer.text
    assert answer.code == 0


@every_version
def test_exec_refusals(shared: Shell) -> None:
    assert shared.fails("exec none -- true") == 'Error from server (NotFound): pods "none" not found\n'
    assert "container nine is not valid for pod two" in shared.fails("exec two -c nine -- true")
    done = shared.run("exec web-0 -- /no/such/program")
    assert done.returncode in (126, 127)
    assert "no such file or directory" in done.stdout + done.stderr


@every_version
def test_attach_shows_what_is_written_from_now_on(shell: Shell) -> None:
    shell.talks("while sleep 0.1; do echo tick; done")
    with shell.stream("attach talks") as stream:
        stream.until("^tick$")


@every_version
@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_copy_both_ways(shared: Shell, size: int) -> None:
    content = os.urandom(size)
    source = shared.directory / "source"
    source.write_bytes(content)
    shared.ok(f"cp {source} two:/tmp/{shared.minor}-{size} -c first")
    shared.ok(f"cp two:tmp/{shared.minor}-{size} {shared.directory}/back -c first")
    assert (shared.directory / "back").read_bytes() == content


def test_copy_of_a_directory(shared: Shell) -> None:
    folder = shared.directory / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "a").write_text("1")
    (folder / "inner" / "b").write_text("2")
    shared.ok(f"cp {folder} two:/tmp/folder-{shared.minor} -c first")
    assert shared.ok(f"exec two -c first -- sh -c 'cd /tmp/folder-{shared.minor}; cat a inner/b'") == "12"


def fetch(port: int) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/")
        answer: bytes = connection.getresponse().read()
    return answer


@every_version
@pytest.mark.parametrize("target", ["pod/web-0 :80", "statefulset/web :80", "service/web :80"])
def test_port_forward(shared: Shell, target: str) -> None:
    with shared.stream(f"port-forward {target}") as stream:
        port = int(stream.until(r"Forwarding from 127.0.0.1:(\d+) -> 80")[1])
        with ThreadPoolExecutor(8) as pool:
            pages = list(pool.map(fetch, [port] * 16))
    assert {page.strip() for page in pages} == {b"<html><body><h1>It works!</h1></body></html>"}


def test_port_forward_survives_a_refused_connection(shared: Shell) -> None:
    with shared.stream("port-forward pod/web-0 :81 :80") as stream:
        refused = int(stream.until(r"Forwarding from 127.0.0.1:(\d+) -> 81")[1])
        served = int(stream.until(r"Forwarding from 127.0.0.1:(\d+) -> 80")[1])
        with pytest.raises((http.client.HTTPException, OSError)):
            fetch(refused)
        if shared.minor < 23:  # later ones give up on the first error, as upstream's do
            assert b"It works" in fetch(served)
