"""What a cluster is like from the outside, without its engine: is it there, does it run, is it ready."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from kubelite.config import Settings


@dataclass(frozen=True, slots=True)
class Status:
    """A cluster from the outside: `ready` is /readyz's answer, `checks` its verbose lines."""

    exists: bool
    pid: int | None
    ready: bool
    checks: Sequence[str] = ()

    @property
    def answers(self) -> bool:
        """Whether the API answers at all."""
        return any(line.startswith("[") for line in self.checks)

    @property
    def failing(self) -> list[str]:
        """What it still waits for."""
        return [line.removeprefix("[-]") for line in self.checks if not line.startswith("[+]")]


def status(settings: Settings) -> Status:
    """What can be said without the engine."""
    exists = settings.database.exists()
    pid = running_pid(settings)
    if pid is None:
        return Status(exists, None, False)
    try:
        code, text = _readyz(settings)
    except (OSError, ssl.SSLError, http.client.HTTPException) as error:
        return Status(exists, pid, False, [f"the API does not answer: {error}"])
    return Status(exists, pid, code == 200, [line for line in text.splitlines() if line.startswith("[")])


def running_pid(settings: Settings) -> int | None:
    """The control plane's process, if it lives: whoever holds the lock on the pid file."""
    try:
        with settings.pid_file.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(file.read() or 0) or None
    except OSError:
        pass
    return None


def _readyz(settings: Settings) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(settings.pki / "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", settings.api_port, timeout=5, context=context)
    with contextlib.closing(connection):
        connection.request("GET", "/readyz?verbose")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
