"""A pod and one of its containers to what the engine is asked to create. PURE; called by the container starter.

Follows upstream's `kuberuntime_container.go` (generateContainerConfig) and `kuberuntime_sandbox.go`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubelite.config import Settings
from kubelite.node import labels
from kubelite.node.environment import ConfigError, Surroundings, environment, expand_all
from kubelite.node.pod_files import kernel_hostname
from kubelite.node.resources import SHARES_MIN, resources_of
from kubelite.node.runtime import (
    SANDBOX,
    Container,
    ContainerSpec,
    Image,
    Mount,
    PortMapping,
    Resources,
    Security,
)
from kubelite.node.security import security_of
from kubelite.node.view import is_host_network, regular_containers, sidecars
from kubelite.objects.meta import Obj

HOSTNAME_MAX = 64  # the kernel's


def sandbox_spec(pod: Obj, settings: Settings, image: str, attempt: int, address: str, domain: str) -> ContainerSpec:
    """The container that holds the pod's network, IPC and host name. Raises ConfigError for a name that is too long."""
    host = is_host_network(pod)
    spec = pod["spec"]
    noted = {labels.ADDRESS: address} if address else {}
    context = spec.get("securityContext") or {}
    return ContainerSpec(
        engine_name=labels.engine_name(settings.name, pod, SANDBOX, attempt),
        image=image,
        labels=labels.for_container(settings.name, pod, SANDBOX, attempt, noted),
        network="host" if host else settings.network,
        hostname="" if host else _sandbox_hostname(pod, domain),
        address=address,
        ipc="host" if spec.get("hostIPC") else "shareable",
        pid="host" if spec.get("hostPID") else "",
        ports=() if host else _host_ports(pod),
        sysctls={entry["name"].replace("/", "."): entry["value"] for entry in context.get("sysctls") or ()},
        resources=Resources(cpu_shares=SHARES_MIN),
        security=Security(read_only_root=True, options=("no-new-privileges", "seccomp=unconfined")),
        keep_logs=False,
    )


def _sandbox_hostname(pod: Obj, domain: str) -> str:
    name = kernel_hostname(pod, domain)
    if len(name) > HOSTNAME_MAX:
        raise ConfigError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long "
            f"({HOSTNAME_MAX} characters is the max, {len(name)} characters requested)"
        )
    return name


def _host_ports(pod: Obj) -> tuple[PortMapping, ...]:
    return tuple(
        PortMapping(port["containerPort"], port["hostPort"], port.get("protocol") or "TCP", port.get("hostIP") or "")
        for container in [*regular_containers(pod), *sidecars(pod)]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the container goes: its sandbox, its life's number, and what is mounted."""

    sandbox: Container
    attempt: int
    backoff: int
    mounts: Sequence[Mount]
    message_file: str
    target: str = ""  # id of the container whose processes an ephemeral one sees


def container_spec(
    pod: Obj, container: Obj, cluster: str, image: Image, place: Placement, around: Surroundings
) -> ContainerSpec:
    """Raises ConfigError for what can't be configured."""
    variables = environment(pod, container, around)
    noted = {
        labels.HASH: labels.container_hash(container),
        labels.BACKOFF: str(place.backoff),
        labels.IMAGE_ID: image.reference,
        labels.MESSAGE_FILE: place.message_file,
    }
    joined = f"container:{place.sandbox.id}"
    return ContainerSpec(
        engine_name=labels.engine_name(cluster, pod, container["name"], place.attempt),
        image=container["image"],
        labels=labels.for_container(cluster, pod, container["name"], place.attempt, noted),
        network=joined,
        ipc="host" if pod["spec"].get("hostIPC") else joined,
        pid=f"container:{place.target}" if place.target else _pid(pod, joined),
        command=expand_all(container.get("command"), variables),
        args=_args(container, variables),
        environment=variables,
        working_dir=container.get("workingDir") or "",
        mounts=tuple(place.mounts),
        resources=resources_of(pod, container, around.machine.memory),
        security=security_of(pod, container, image),
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
    )


def _pid(pod: Obj, joined: str) -> str:
    if pod["spec"].get("hostPID"):
        return "host"
    return joined if pod["spec"].get("shareProcessNamespace") else ""


def _args(container: Obj, variables: dict[str, str]) -> list[str] | None:
    """With a command of the manifest's own, the image's arguments don't apply."""
    args = expand_all(container.get("args"), variables)
    return [] if args is None and container.get("command") else args
