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
        print(part(answer).rstrip("\n"), flush=True)
        return answer

    def quietly(self, command: str) -> str:
        """For what is no step of the walk-through."""
        return self._kubectl(shlex.split(command)[1:])

    def shown(self, command: str, answer: str) -> None:
        """A command of the host's shell whose answer is known."""
        self._print(f"$ {command}", "36")
        print(answer, flush=True)

    @contextmanager
    def watching(self, selector: str, done: Callable[[list[PodEvent]], bool]) -> Iterator[list[PodEvent]]:
        """Show what happens to pods while the block runs and on until `done`; the list has it all afterwards."""
        self._print(f"$ kubectl get pods -l {selector} --watch-only --output-watch-events &", "36")
        arrived: queue.Queue[PodEvent | BaseException] = queue.Queue()
        events = watch_pods(self.client, selector, WATCH_SECONDS)
        threading.Thread(target=_pump, args=(events, arrived), daemon=True).start()
        seen: list[PodEvent] = []
        yield seen
        deadline = time.monotonic() + WATCH_SECONDS
        while not done(seen):
            try:
                event = arrived.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failure(f"this did not come to its end within {WATCH_SECONDS:.0f} s") from None
            if isinstance(event, BaseException):
                raise event
            if not seen or event != seen[-1]:
                print(f"{event.type:<9} {event.name:<20} {event.ready:<6} {event.status}", flush=True)
            seen.append(event)

    def _print(self, text: str, colour: str) -> None:
        print(f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text, flush=True)


def _pump(events: Iterator[PodEvent], arrived: queue.Queue[PodEvent | BaseException]) -> None:
    try:
        for event in events:
            arrived.put(event)
    except Exception as error:
        arrived.put(error)
