"""What happens to a whole cluster: up, down, delete, and what its status is. Called by the CLI and the pytest plugin.

`down` stops the control plane and the containers and keeps everything; `delete` leaves nothing that carries the
cluster's label behind.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import select
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from kubelite.config import LABEL_CLUSTER, LABEL_CONTAINER_NAME, LABEL_SERVICE_CIDR, Settings
from kubelite.engine import EngineError, find, images, service_rules
from kubelite.engine.find import Endpoint
from kubelite.engine.locks import exclusive

if TYPE_CHECKING:
    import docker

Progress = Callable[[str], None]

PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
STOP_SECONDS = 15.0
CONTAINER_STOP_SECONDS = 10
WORKERS = 8
LET_GO_SECONDS = 2.0


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


class StartFailed(Exception):
    """The control plane ended before it was ready; the text says why."""


def up(settings: Settings, endpoint: Endpoint, progress: Progress) -> bool:
    """Bring the cluster up and wait until it is ready; False when it was up already."""
    from kubelite import serve

    if status(settings).ready:
        return False
    with _alone(settings):
        # Whoever held the lock before may have made the cluster, with ranges and a port of its own choice.
        settings = Settings.load(settings.name, settings.home) or settings
        now = status(settings)
        if now.ready:
            return False
        if now.pid is not None:
            serve.wait(settings, progress)
            return True
        settings = _with_images(settings, endpoint, progress)
        serve.start(settings, endpoint, cluster_images(), progress)
    return True


def serve_here(settings: Settings, endpoint: Endpoint, progress: Progress, report: Callable[[str, str], None]) -> None:
    """As `up`, but serve in this process until it is told to stop; `report` hears what the daemon would report."""
    from kubelite import serve
    from kubelite.cluster import AlreadyRunning

    with _alone(settings):
        settings = _with_images(settings, endpoint, progress)
    try:
        serve.run(settings, endpoint, cluster_images(), report)
    except AlreadyRunning:
        raise StartFailed(f"another process is already serving cluster {settings.name}") from None


def _with_images(settings: Settings, endpoint: Endpoint, progress: Progress) -> Settings:
    with contextlib.closing(find.connect(endpoint)) as client:
        images.ensure(client, images.REQUIRED, progress)
        return prepare(settings, client, progress)


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One command at a time changes a cluster's life. The lock file goes with its last holder.

    A lock of this process, not of the open file: the daemon that is forked meanwhile must not inherit it.
    """
    import fcntl

    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / f".{settings.name}.lock"
    while True:
        file = path.open("w")
        fcntl.lockf(file, fcntl.LOCK_EX)
        if _is_still(path, file.fileno()):
            break
        file.close()
    try:
        yield
    finally:
        path.unlink()
        file.close()


def _is_still(path: Path, descriptor: int) -> bool:
    """Whoever held the lock before may have removed the file that we waited for."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def cluster_images() -> Any:
    from kubelite.cluster import Images

    return Images(pause=images.PAUSE, kubelite=images.KUBELITE)


def prepare(settings: Settings, client: docker.DockerClient, progress: Progress) -> Settings:
    """The settings to start with: a new cluster's ranges and port are chosen now and kept from then on."""
    from kubelite.node.docker_network import NetworkRefused, ensure_network

    if (existing := Settings.load(settings.name, settings.home)) is not None:
        settings = existing
        if running_pid(settings) is None and free_port(settings.api_port) != settings.api_port:
            raise StartFailed(f"its API port {settings.api_port} is in use by another program")
        return settings
    with exclusive(Path(gettempdir()) / f"kubelite-networks-{os.getuid()}.lock"):
        chosen = _choose(settings, client, progress)
        try:
            ensure_network(client.api, chosen)  # now, so that clusters that start at the same time see it
        except NetworkRefused as error:
            raise StartFailed(str(error)) from None
        chosen.save()
    return chosen


def _choose(settings: Settings, client: docker.DockerClient, progress: Progress) -> Settings:
    networks = [network for network in client.api.networks() if network["Name"] != settings.network]
    taken = subnets(networks) + host_networks() + nameservers()
    others = others_of(settings)
    services = service_ranges(networks) + [other.service_cidr for other in others]
    chosen = replace(
        settings,
        pod_cidr=free_network(settings.pod_cidr, taken, "pod network"),
        service_cidr=free_network(settings.service_cidr, taken + services, "service range"),
        api_port=free_port(settings.api_port, [other.api_port for other in others]),
    )
    for what, wanted, got in (
        ("pod network", settings.pod_cidr, chosen.pod_cidr),
        ("service range", settings.service_cidr, chosen.service_cidr),
        ("API port", settings.api_port, chosen.api_port),
    ):
        if wanted != got:
            progress(f"{what} {wanted} is taken, using {got}")
    return chosen


def subnets(networks: Iterable[Mapping[str, Any]]) -> list[IPv4Network]:
    """What networks of the engine (as its API lists them) occupy."""
    pools = [pool for network in networks for pool in (network.get("IPAM") or {}).get("Config") or ()]
    return [IPv4Network(pool["Subnet"], strict=False) for pool in pools if ":" not in pool.get("Subnet", ":")]


def service_ranges(networks: Iterable[Mapping[str, Any]]) -> list[IPv4Network]:
    """Service ranges of the engine's other clusters, whoever's they are: their rules are on the same host."""
    labels = [network.get("Labels") or {} for network in networks]
    return [IPv4Network(found[LABEL_SERVICE_CIDR]) for found in labels if LABEL_SERVICE_CIDR in found]


def host_networks() -> list[IPv4Network]:
    """What the host routes already, but for its default route (/proc/net/route; empty where there is none)."""
    found = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/route").read_text().splitlines()[1:]:
            columns = line.split()
            address, mask = (socket.inet_ntoa(bytes.fromhex(columns[at])[::-1]) for at in (1, 7))
            if mask != "0.0.0.0":
                found.append(IPv4Network(f"{address}/{mask}", strict=False))
    return found


def nameservers(*files: Path) -> list[IPv4Network]:
    """The host's: often behind its default route, in the very range that a cluster would like."""
    found = []
    for file in files or RESOLVER_FILES:
        with contextlib.suppress(OSError):
            for line in file.read_text().splitlines():
                with contextlib.suppress(ValueError):
                    found += [IPv4Network(word) for word in line.split()[1:2] if line.startswith("nameserver")]
    return found


def others_of(settings: Settings) -> list[Settings]:
    """This home's other clusters: they share the host's rules, and come back on the ports they had."""
    names = (path.name for path in settings.home.glob("*/") if path.name != settings.name)
    loaded = (Settings.load(name, settings.home) for name in names)
    return [other for other in loaded if other is not None]


def free_network(wanted: IPv4Network, taken: Sequence[IPv4Network], what: str) -> IPv4Network:
    """`wanted` when nothing overlaps it, else another private network of its size, the following ones first."""
    for candidate in _alternatives(wanted):
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise EngineError(f"no free {what} like {wanted}", "Name one with --pod-cidr or --service-cidr.")


def _alternatives(wanted: IPv4Network) -> Iterator[IPv4Network]:
    yield wanted
    for block in sorted(PRIVATE, key=lambda block: not wanted.subnet_of(block)):
        if block.prefixlen <= wanted.prefixlen:
            yield from (one for one in block.subnets(new_prefix=wanted.prefixlen) if one > wanted)
            yield from (one for one in block.subnets(new_prefix=wanted.prefixlen) if one < wanted)


def free_port(wanted: int, reserved: Sequence[int] = ()) -> int:
    """`wanted` when it can be bound on 127.0.0.1 and isn't reserved, else any free port."""
    for port in [wanted] * (wanted not in reserved) + [0] * (len(reserved) + 1):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found = int(probe.getsockname()[1])
            if found not in reserved:
                return found
    raise OSError(errno.EADDRINUSE, "no free port on 127.0.0.1")


# status


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
    import fcntl

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


# down and delete


def down(settings: Settings, endpoint: Endpoint | None, progress: Progress, *, keep_pods: bool = False) -> bool:
    """Stop the control plane, then (unless `keep_pods`) the containers; False when nothing ran."""
    stopped = stop_control_plane(settings, progress)
    if keep_pods or endpoint is None:
        return stopped
    client = find.connect(endpoint)
    with contextlib.closing(client):
        running = client.api.containers(filters=_labelled(settings))
        if running:
            progress(f"stopping {len(running)} containers")
            # The rules last: what stops may still have to reach other pods.
            others = [one for one in running if not service_rules.is_proxy(one)]
            _each(lambda one: client.api.stop(one["Id"], timeout=CONTAINER_STOP_SECONDS), others)
            service_rules.remove(client, settings, images.KUBELITE)
    return stopped or bool(running)


def stop_control_plane(settings: Settings, progress: Progress) -> bool:
    pid = running_pid(settings)
    if pid is None:
        return False
    progress("stopping the control plane")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(descriptor, number)
            if select.select([descriptor], [], [], STOP_SECONDS)[0]:
                break
    finally:
        os.close(descriptor)
    return True


def _labelled(settings: Settings) -> dict[str, Any]:
    return {"label": [f"{LABEL_CLUSTER}={settings.name}"]}


def _apps_and_sandboxes(containers: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Sandboxes go last: they hold the network of the others, which may need it to the end."""
    sandboxes = [one for one in containers if (one.get("Labels") or {}).get(LABEL_CONTAINER_NAME) == "POD"]
    return [one for one in containers if one not in sandboxes], sandboxes


def _each(action: Callable[[dict[str, Any]], Any], containers: Sequence[dict[str, Any]]) -> None:
    import docker.errors

    def tolerant(container: dict[str, Any]) -> None:
        with contextlib.suppress(docker.errors.NotFound):
            action(container)

    with ThreadPoolExecutor(WORKERS) as pool:
        for part in _apps_and_sandboxes(containers):
            list(pool.map(tolerant, part))


def delete(settings: Settings, endpoint: Endpoint | None, progress: Progress, *, keep_volumes: bool = False) -> bool:
    """Remove everything of the cluster, but (with `keep_volumes`) the export directory; False when there was nothing."""
    found = stop_control_plane(settings, progress)  # which also ends an `up` that waits for it
    with _alone(settings):
        if endpoint is not None:
            client = find.connect(endpoint)
            with contextlib.closing(client):
                found = _remove_from_engine(settings, client, progress) or found
        if settings.directory.exists():
            found = True
            _remove_directory(settings, endpoint, keep_volumes)
    return found


def _remove_from_engine(settings: Settings, client: docker.DockerClient, progress: Progress) -> bool:
    """Until nothing is left: a request of the control plane's last moment may still make a container."""
    found = False
    deadline = time.monotonic() + LET_GO_SECONDS
    while True:
        containers = client.api.containers(all=True, filters=_labelled(settings))
        networks = client.api.networks(filters=_labelled(settings))
        if not containers and not networks:
            return found
        if containers:
            progress(f"removing {len(containers)} containers")
        if containers or not found:
            service_rules.remove(client, settings, images.KUBELITE)
        if containers:
            _each(lambda one: client.api.remove_container(one["Id"], force=True, v=True), containers)
            deadline = time.monotonic() + LET_GO_SECONDS
        if stuck := _remove_networks(client, networks):
            if time.monotonic() > deadline:
                progress(f"left behind, until the engine restarts: {stuck}")
                return True
            time.sleep(0.05)
        found = True


def _remove_networks(client: docker.DockerClient, networks: Sequence[dict[str, Any]]) -> str:
    """Why one can't be removed, if so: the engine lets go of a container's endpoint a moment after the container is
    gone, and has been seen to miscount a network's endpoints for good."""
    import docker.errors

    stuck = ""
    for network in networks:
        try:
            client.api.remove_network(network["Id"])
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            stuck = str(error.explanation or error)
    return stuck


def _remove_directory(settings: Settings, endpoint: Endpoint | None, keep_volumes: bool) -> None:
    kept = {settings.volumes.name} if keep_volumes and settings.volumes.exists() else set()
    doomed = [path for path in settings.directory.iterdir() if path.name not in kept]
    try:
        for path in doomed:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except PermissionError:
        if endpoint is None:
            raise
        _remove_as_root(settings, endpoint, kept)
    if not kept:
        settings.directory.rmdir()


def _remove_as_root(settings: Settings, endpoint: Endpoint, kept: set[str]) -> None:
    """Files of containers may belong to any user: a container removes what this user may not."""
    client = find.connect(endpoint)
    with contextlib.closing(client):
        images.ensure(client, ["tools"])
        client.containers.run(
            images.TOOLS,
            [
                "sh",
                "-c",
                'cd /cluster && find . -mindepth 1 -maxdepth 1 ! -name "$0" -exec rm -rf {} +',
                *(kept or {"."}),
            ],
            volumes={str(settings.directory): {"bind": "/cluster", "mode": "rw"}},
            network_mode="none",
            remove=True,
        )
