"""A private dockerd for machines on which no engine answers.

Own data root, exec root, pid file and log; on the default socket when that is free, so that a plain `docker ps` shows
the pods. Started detached from the caller and without any service manager. A stale pid file, a daemon that no longer
answers and the leftovers of a killed run are cleared before a start. Called by `engine start|stop`, `up`, `demo`, tests.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kubelite.engine import EngineError, Progress, cgroups, install, processes, silent
from kubelite.engine.find import DEFAULT_SOCKET, PRIVATE_SOCKET, Candidate, ChosenEngineSilent, Endpoint, find, probe
from kubelite.engine.locks import exclusive

ORIGIN = "kubelite's own engine"
START_SECONDS = 60.0
HANG_SECONDS = 10.0
HALF_DEAD_SECONDS = 5.0
SOCKET_SECONDS = 1.0
STOP_SECONDS = 30.0
_LOG_LINES = 15


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where one private engine keeps its things; the defaults are the machine's one, tests make others."""

    data_root: Path = Path("/var/lib/kubelite/engine")
    run: Path = Path("/run/kubelite")
    log: Path = Path("/var/log/kubelite/engine.log")
    sockets: tuple[Path, ...] = (DEFAULT_SOCKET, PRIVATE_SOCKET)
    options: tuple[str, ...] = ()

    @property
    def exec_root(self) -> Path:
        return self.run / "engine"

    @property
    def pid_file(self) -> Path:
        return self.run / "engine.pid"

    @property
    def containerd_pid_file(self) -> Path:
        return self.exec_root / "containerd" / "containerd.pid"

    def command(self, program: str, address: Path) -> list[str]:
        return [
            program,
            f"--data-root={self.data_root}",
            f"--exec-root={self.exec_root}",
            f"--pidfile={self.pid_file}",
            f"--host=unix://{address}",
            *self.options,
        ]

    def pid(self) -> int | None:
        """The live process of this engine, whether or not it answers."""
        return processes.owner(self.pid_file, "dockerd", self.data_root)

    def containerd_pid(self) -> int | None:
        config = self.exec_root / "containerd" / "containerd.toml"
        return processes.owner(self.containerd_pid_file, "containerd", config)


def ensure(install_engine: bool, progress: Progress = silent) -> Endpoint:
    """An engine that answers: the one found, else a private one, installed first when `install_engine` allows."""
    try:
        if endpoint := find():
            return endpoint
        daemon = Daemon()
    except ChosenEngineSilent as error:
        daemon = serving_at(error)
    if not install_engine and install.program() is None:
        raise EngineError("no container engine answers on this machine", install.cure())
    if os.geteuid() != 0:
        raise EngineError("no container engine answers, and only root can start one", install.cure())
    install.install(progress)
    return start(progress, daemon)


def serving_at(error: ChosenEngineSilent) -> Daemon:
    """The private engine, on the socket that the user named if that may be its own; else the error is raised."""
    ours = Daemon()
    if error.socket not in ours.sockets:
        raise error
    return replace(ours, sockets=(error.socket,))


def start(progress: Progress = silent, daemon: Daemon | None = None) -> Endpoint:
    """Start the private engine and wait until it answers; the one already running is returned as it is."""
    daemon = daemon or Daemon()
    if os.geteuid() != 0:
        raise EngineError("only root can start a container engine", install.cure())
    program = install.program()
    if program is None:
        raise EngineError("dockerd is not on this machine", install.cure())
    with exclusive(daemon.run / "engine.lock"):  # another command may be starting it right now
        if endpoint := running(daemon):
            return _at_its_place(endpoint, daemon)
        started = time.monotonic()
        clear_leftovers(daemon)
        cgroups.mount_missing()
        address = _free_address(daemon)
        endpoint = _launch(daemon, program, address)
    progress(f"engine: Docker {endpoint.version} started in {time.monotonic() - started:.1f} s on {address}")
    return endpoint


def _at_its_place(endpoint: Endpoint, daemon: Daemon) -> Endpoint:
    if endpoint.socket in daemon.sockets:
        return endpoint
    raise EngineError(
        f"kubelite's own engine runs already, at {endpoint.url}", f"type: export DOCKER_HOST={endpoint.url}"
    )


def running(daemon: Daemon) -> Endpoint | None:
    """The private engine, if it is alive and answers; given time, since a busy one must not pass for half dead."""
    arguments = processes.command_line(daemon.pid() or 0)
    addresses = [argument.split("unix://", 1)[1] for argument in arguments if "unix://" in argument]
    tried = (probe(Candidate(f"unix://{address}", ORIGIN), timeout=HANG_SECONDS) for address in addresses)
    return next((endpoint for endpoint in tried if endpoint), None)


def _free_address(daemon: Daemon) -> Path:
    for address in daemon.sockets:
        # A daemon that has just died may hold its socket for a moment more.
        if processes.wait_until(partial(is_free, address), SOCKET_SECONDS):
            return address
    taken = " and ".join(map(str, daemon.sockets))
    raise EngineError(f"{taken} are in use by something that is no engine", f"type: ss -xlp | grep {daemon.sockets[0]}")


def stop(progress: Progress = silent, daemon: Daemon | None = None) -> bool:
    """Stop the engine that kubelite started, and no other; False when there is none."""
    daemon = daemon or Daemon()
    pid = daemon.pid()
    if pid is None:
        return False
    progress("engine: stopping")
    processes.end(pid, STOP_SECONDS)
    clear_leftovers(daemon)
    return True


def clear_leftovers(daemon: Daemon) -> None:
    """End what a killed or half-dead run left: processes, pid files that would stop the next start, mounts.

    Both dockerd's and containerd's pid files are believed by the next dockerd even when the number belongs to another
    process by now: it would refuse to start, or take that process for its containerd.
    """
    for pid, pid_file in ((daemon.pid(), daemon.pid_file), (daemon.containerd_pid(), daemon.containerd_pid_file)):
        if pid is not None:
            processes.end(pid, HALF_DEAD_SECONDS)
        pid_file.unlink(missing_ok=True)
    for directory in (daemon.data_root, daemon.exec_root):  # below the latter: the network namespaces
        for target in mounted_below(directory, Path("/proc/mounts").read_text()):
            subprocess.run(["umount", "--lazy", target], capture_output=True)


def mounted_below(directory: Path, mounts: str) -> list[str]:
    """Mount points at or below `directory`, the innermost first; `mounts` is the text of /proc/mounts."""
    targets = [line.split()[1].replace("\\040", " ") for line in mounts.splitlines()]
    return [target for target in reversed(targets) if Path(target).is_relative_to(directory)]


def is_free(address: Path) -> bool:
    """Whether a daemon may listen there: nothing is at the path, or a socket that nobody serves."""
    if not address.exists():
        return True
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1.0)
            client.connect(str(address))
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _launch(daemon: Daemon, program: str, address: Path) -> Endpoint:
    for directory in (daemon.data_root, daemon.exec_root, daemon.log.parent, address.parent):
        directory.mkdir(parents=True, exist_ok=True)
    with daemon.log.open("ab") as log:
        offset = log.tell()
        child = subprocess.Popen(
            daemon.command(program, address),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PATH": install.search_path()},
            start_new_session=True,
        )
    candidate = Candidate(f"unix://{address}", ORIGIN)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        if address.exists() and (endpoint := probe(candidate)):
            child.returncode = 0  # It outlives this process; keeps Popen from warning of a child still running.
            return endpoint
        time.sleep(0.02)
    if child.poll() is None:
        processes.end(child.pid, 5.0)
        child.wait()
    clear_leftovers(daemon)
    raise EngineError(f"dockerd did not start; the end of {daemon.log}:\n{_tail(daemon.log, offset)}", _CURE)


def _tail(log: Path, offset: int) -> str:
    with log.open("rb") as content:
        content.seek(offset)
        lines = content.read().decode(errors="replace").splitlines()
    telling = [line for line in lines if "level=info" not in line]
    return "\n".join(f"  {line[:240]}" for line in telling[-_LOG_LINES:])


_CURE = (
    "dockerd needs root's full rights (in a container: --privileged) and a kernel with overlay, bridge and iptables;\n"
    "any engine that already runs will do instead: export DOCKER_HOST=..."
)
