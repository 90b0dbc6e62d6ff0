"""One kubectl in one namespace, as the tests type with it: plain commands, terminals, and commands that go on."""

from __future__ import annotations

import os
import queue
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from kubelite.testing.namespace import Namespace
from tests import terminal
from tests.kubectls import Kubectl

SECONDS = 60.0
every_version = pytest.mark.every_version
newest_version = pytest.mark.newest_version
Completed = subprocess.CompletedProcess[str]


class Stream:
    """A command that goes on: its lines as they come."""

    def __init__(self, output: IO[str]) -> None:
        self.seen: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._pump, args=(output,), daemon=True)
        self._reader.start()

    def _pump(self, output: IO[str]) -> None:
        for line in output:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def close(self) -> None:
        """After the command's end."""
        self._reader.join()

    def until(self, pattern: str, seconds: float = SECONDS) -> re.Match[str]:
        """The first line from here on in which the pattern is found."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"no line with {pattern!r} among {self.seen}"
            self.seen.append(line)
            if match := re.search(pattern, line):
                return match


class Shell:
    """`ok` and `fails` are for commands that must end well or badly; a command line is split as a shell would."""

    def __init__(self, kubectl: Kubectl, view: Namespace, home: Path) -> None:
        self.minor = kubectl.minor
        self.view = view
        self.directory = home
        self._program = kubectl.program

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "HOME": str(self.directory), "KUBECONFIG": str(self.view.kubeconfig)}

    def run(self, line: str, *, input: str | None = None, **environment: str) -> Completed:
        return subprocess.run(
            [self._program, *shlex.split(line)],
            env={**self.environment, **environment},
            cwd=self.directory,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def ok(self, line: str, *, input: str | None = None, **environment: str) -> str:
        """The answer of a command that succeeds and warns of nothing."""
        done = self.run(line, input=input, **environment)
        assert (done.returncode, done.stderr) == (0, ""), f"kubectl {line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fails(self, line: str, *, input: str | None = None, code: int = 1) -> str:
        """What a command that fails says on stderr."""
        done = self.run(line, input=input)
        assert done.returncode == code, f"kubectl {line}\n{done.stdout}\n{done.stderr}"
        return done.stderr

    def rows(self, line: str) -> list[list[str]]:
        """The cells of a table, without its head."""
        return [row.split() for row in self.ok(line).splitlines()[1:]]

    def typed(self, line: str, typed: str = "", size: tuple[int, int] = (24, 80)) -> terminal.Answer:
        """On a terminal."""
        return terminal.run([self._program, *shlex.split(line)], self.environment, typed, size)

    def talks(self, script: str, restart: str = "Always") -> None:
        """A pod of that name runs the script."""
        manifest = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: talks}}
spec:
  restartPolicy: {restart}
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: kubelite/tools:latest
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "{script}"]
"""
        self.ok("apply -f -", input=manifest)
        self.view.wait("pods", "talks")

    def file(self, name: str, content: str) -> str:
        path = self.directory / name
        path.write_text(content)
        return str(path)

    @contextmanager
    def stream(self, line: str, **environment: str) -> Iterator[Stream]:
        """A command that runs until the block ends."""
        with subprocess.Popen(
            [self._program, *shlex.split(line)],
            env={**self.environment, **environment},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            stream = Stream(process.stdout)
            try:
                yield stream
            finally:
                process.kill()
                stream.close()

    def eventually(self, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
        """For what no watch tells of."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)
