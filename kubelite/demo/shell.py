"""Where the demo types: shows each command and its answer, and runs it with kubectl or, without one, by kubelite itself."""

from __future__ import annotations

import os
import queue
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kubelite.cli.client import Client
from kubelite.cli.daily import Daily, PodEvent, watch_pods
from kubelite.cli.failure import Failure

WATCH_SECONDS = 60.0
COMMAND_SECONDS = 150.0


class Kubectl(Protocol):
    """Takes what is typed after `kubectl`; Failure when the command fails."""

    def __call__(self, arguments: list[str]) -> str: ...


class RealKubectl:
    """The user's own kubectl, pointed at the cluster."""

    def __init__(self, program: str, kubeconfig: Path, directory: Path) -> None:
        self._program = program
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self._directory = directory

    def __call__(self, arguments: list[str]) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            env=self._environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        if done.returncode:
            raise Failure(f"kubectl {shlex.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout


class BuiltIn:
    """Where no kubectl is installed."""

    def __init__(self, client: Client, directory: Path) -> None:
        self._daily = Daily(client, directory)

    def __call__(self, arguments: list[str]) -> str:
        return self._daily.run(arguments)


class Shell:
    """The demo's terminal."""

    def __init__(self, kubectl: Kubectl, client: Client) -> None:
        self._kubectl = kubectl
        self.client = client
        self._colour = sys.stdout.isatty()

    def title(self, text: str) -> None:
        self._print(f"\n# {text}", "1")

    def say(self, text: str) -> None:
        self._print(text, "2")

    def typed(self, command: str, part: Callable[[str], str] = str) -> str:
        """Run a kubectl command line; `part` cuts what is shown out of a long answer."""
        self._print(f"$ {command}", "36")
        program, *arguments = shlex.split(command)
        assert program == "kubectl"
        answer = self._kubectl(arguments)
        self._answer(part(answer))
        return answer

    def quietly(self, command: str) -> str:
        """For what is no step of the walk-through."""
        return self._kubectl(shlex.split(command)[1:])

    def shown(self, command: str, answer: str) -> None:
        """A command of the host's shell whose answer is known."""
        self._print(f"$ {command}", "36")
        self._answer(answer)

    def _answer(self, text: str) -> None:
        if shown := text.rstrip("\n"):
            _line(shown)

    @contextmanager
    def watching(self, selector: str, done: Callable[[list[PodEvent]], bool]) -> Iterator[list[PodEvent]]:
        """Show what happens to pods while the block runs and on until `done`; the list has it all afterwards."""
        self._print(f"$ kubectl get pods -l {selector} --watch-only --output-watch-events &", "36")
        arrived: queue.Queue[PodEvent | Exception] = queue.Queue()
        events = watch_pods(self.client, selector, WATCH_SECONDS)
        over = threading.Event()
        threading.Thread(target=_pump, args=(events, arrived, over), daemon=True).start()
        seen: list[PodEvent] = []
        try:
            yield seen
            self._collect(arrived, seen, done)
        finally:
            over.set()

    @staticmethod
    def _collect(
        arrived: queue.Queue[PodEvent | Exception], seen: list[PodEvent], done: Callable[[list[PodEvent]], bool]
    ) -> None:
        deadline = time.monotonic() + WATCH_SECONDS
        while not done(seen):
            try:
                event = arrived.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failure(f"this did not come to its end within {WATCH_SECONDS:.0f} s") from None
            if isinstance(event, Exception):
                raise event
            seen.append(event)

    def _print(self, text: str, colour: str) -> None:
        _line(f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text)


def _line(text: str) -> None:
    """In one piece: two threads print."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _pump(events: Iterator[PodEvent], arrived: queue.Queue[PodEvent | Exception], over: threading.Event) -> None:
    """Shows each event when it comes, also while a command still runs."""
    before = None
    try:
        for event in events:
            if over.is_set():
                return
            if event != before:
                _line(f"{event.type:<9} {event.name:<30} {event.ready:<6} {event.status}")
            before = event
            arrived.put(event)
    except Exception as error:
        arrived.put(error)
