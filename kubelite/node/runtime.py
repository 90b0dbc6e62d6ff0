"""What the kubelet asks of a container engine: small records and one Protocol.

The kubelet, its tests and `streams` are written against this; `docker_runtime` is the implementation. A pod's sandbox
is a container like the others whose name is `POD`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

SANDBOX = "POD"
DISK_TOTAL = "DiskTotal"  # in the engine's `info`: bytes of the disk that it keeps containers on

State = Literal["created", "running", "exited"]


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine has it, read back from its labels and state."""

    id: str
    name: str
    pod_uid: str
    pod_name: str
    namespace: str
    engine_name: str = ""
    state: State = "created"
    attempt: int = 0
    backoff: int = 0  # seconds to wait before the restart that would follow this container
    hash: str = ""
    image: str = ""
    image_id: str = ""
    stop_signal: str = "SIGTERM"
    sandbox_id: str = ""  # of the sandbox it was made in
    address: str = ""  # sandboxes: the pod's pinned address
    message_file: str = ""  # host path of the termination message
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    process: int = 0  # its first process, on the engine's machine; 0 when it doesn't run
    message: str = ""  # what the container left as its termination message

    @property
    def is_sandbox(self) -> bool:
        return self.name == SANDBOX


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path bound into a container."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""  # private then, or what the engine needs: its own root isn't to be held by others
    create: bool = False  # a missing source becomes a directory


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A container port published on the host."""

    container_port: int
    host_port: int
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """Engine limits; None and 0 leave the engine's default."""

    cpu_shares: int = 0
    cpu_quota: int = 0  # microseconds of each 100 ms
    memory: int = 0
    oom_score_adj: int | None = None


@dataclass(frozen=True, slots=True)
class Security:
    """Who the container runs as and what it may do."""

    user: str = ""
    groups: tuple[str, ...] = ()
    privileged: bool = False
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    read_only_root: bool = False
    options: tuple[str, ...] = ()
    masked_paths: bool = True


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything needed to create one container."""

    engine_name: str
    image: str
    labels: Mapping[str, str]
    network: str  # name of a network, `host`, or `container:<id>`
    command: Sequence[str] | None = None
    args: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    hostname: str = ""
    address: str = ""
    ipc: str = ""
    pid: str = ""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = Resources()
    security: Security = Security()
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    keep_logs: bool = True
    runtime: str = ""  # one of the engine's; "" for its default


@dataclass(frozen=True, slots=True)
class Image:
    """A local image, as far as starting a container from it needs to know."""

    id: str
    digests: tuple[str, ...] = ()
    user: str = ""
    stop_signal: str = ""
    size: int = 0

    @property
    def reference(self) -> str:
        """status.imageID of a container that runs it."""
        return f"docker-pullable://{self.digests[0]}" if self.digests else f"docker://{self.id}"


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """A container ended or was removed; `resync` says that events may have been missed, `lost` that they are now."""

    kind: Literal["die", "destroy", "resync", "lost"]
    container_id: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    output: str


class EngineError(Exception):
    """The engine refused; the message is the engine's own."""


class EngineGone(EngineError):
    """The engine doesn't answer: try again later."""


class NoSuchContainer(EngineError):
    """It isn't there (any more)."""


class NameTaken(EngineError):
    """Another container has the name."""


class NoSuchImage(EngineError):
    """The image isn't on this machine."""


class PullFailed(EngineError):
    """The registry answered no."""


class RegistryUnavailable(PullFailed):
    """No registry answered at all."""


class ExecTimeout(EngineError):
    """The command was still running when its time was over."""


class Runtime(Protocol):
    """The engine, asynchronously. Every call may raise EngineError; EngineGone when nothing answers."""

    async def containers(self) -> list[Container]:
        """All containers of this cluster, running or not, with their full state."""
        ...

    async def inspect(self, container_id: str) -> Container | None:
        """The container's full state now; None when it is gone."""
        ...

    def events(self) -> AsyncIterator[EngineEvent]:
        """Changes from now on, for ever; a `resync` comes first, a `lost` and a `resync` with each loss of the
        connection."""
        ...

    async def create(self, spec: ContainerSpec) -> str:
        """Create, don't start; the id comes back. NameTaken when the name is in use."""
        ...

    async def start(self, container_id: str) -> None: ...

    async def kill(self, container_id: str, signal: str) -> None:
        """Send a signal; no error when the container doesn't run."""
        ...

    async def remove(self, container_id: str) -> None:
        """Kill and remove with its anonymous volumes; no error when it is gone."""
        ...

    async def remove_by_name(self, engine_name: str) -> None:
        """Remove a leftover of this cluster that has the name."""
        ...

    async def execute(self, container_id: str, command: Sequence[str], seconds: float | None) -> ExecResult:
        """Run a command inside and wait for it; ExecTimeout when it takes longer than `seconds`."""
        ...

    async def tail(self, container_id: str, lines: int, limit: int) -> str:
        """The last lines of the container's log, at most `limit` bytes."""
        ...

    async def written(self, container_id: str) -> int:
        """Bytes that the container has written beside its volumes; 0 when it is gone."""
        ...

    async def image(self, reference: str) -> Image | None:
        """The local image; None when there is none."""
        ...

    async def pull(self, reference: str, credentials: Sequence[Mapping[str, str]], patience: float | None) -> Image:
        """Fetch from the registry; PullFailed, or RegistryUnavailable when `patience` seconds bring no answer."""
        ...

    async def restore_network(self) -> bool:
        """Make the pods' network anew if somebody removed it; whether that was so. EngineError when it can't be had."""
        ...

    async def info(self) -> Mapping[str, Any]:
        """The engine's description of itself and its machine."""
        ...
