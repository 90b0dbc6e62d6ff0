"""The engine's JSON: container specs to create bodies, inspect answers to records. PURE; called by docker_runtime."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kubelite.config import LABEL_CONTAINER_NAME, LABEL_POD_NAME, LABEL_POD_NAMESPACE, LABEL_POD_UID
from kubelite.node import labels
from kubelite.node.runtime import Container, ContainerSpec, Image, Mount, State

CPU_PERIOD = 100_000


def create_body(spec: ContainerSpec, network: str) -> dict[str, Any]:
    """The body of POST /containers/create."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin_once,
        "Tty": spec.tty,
        "HostConfig": _host_config(spec),
        "Healthcheck": {"Test": ["NONE"]},
    }
    if spec.command is not None:
        body["Entrypoint"] = list(spec.command)
    if spec.args is not None:
        body["Cmd"] = list(spec.args)
    optional = {"User": spec.security.user, "WorkingDir": spec.working_dir, "Hostname": spec.hostname}
    body |= {key: value for key, value in optional.items() if value}
    if spec.address:
        body["NetworkingConfig"] = {"EndpointsConfig": {network: {"IPAMConfig": {"IPv4Address": spec.address}}}}
    if spec.ports:
        body["ExposedPorts"] = {f"{port.container_port}/{port.protocol.lower()}": {} for port in spec.ports}
    return body


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    config: dict[str, Any] = {"NetworkMode": spec.network, **_mounts(spec), **_security(spec), **_resources(spec)}
    if spec.ipc:
        config["IpcMode"] = spec.ipc
    if spec.pid:
        config["PidMode"] = spec.pid
    if spec.runtime:
        config["Runtime"] = spec.runtime
    if spec.sysctls:
        config["Sysctls"] = dict(spec.sysctls)
    if spec.ports:
        config["PortBindings"] = _port_bindings(spec)
    if not spec.keep_logs:
        config["LogConfig"] = {"Type": "none", "Config": {}}
    if spec.address:
        # The engine's own resolver would cost two processes and a dozen iptables runs per pod, and no pod asks it:
        # resolv.conf is ours. An option that it can't read keeps it from being set up; engines that don't mind the
        # option set it up as ever.
        config["DnsOptions"] = ["ndots:unused"]
    return config


def _mounts(spec: ContainerSpec) -> dict[str, Any]:
    strict = [_mount(mount) for mount in spec.mounts if not mount.create]
    lenient = [_bind(mount) for mount in spec.mounts if mount.create]
    return ({"Mounts": strict} if strict else {}) | ({"Binds": lenient} if lenient else {})


def _mount(mount: Mount) -> dict[str, Any]:
    bound = {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
    return bound | ({"BindOptions": {"Propagation": mount.propagation}} if mount.propagation else {})


def _bind(mount: Mount) -> str:
    mode = "ro" if mount.read_only else "rw"
    return f"{mount.source}:{mount.target}:{mode}" + (f",{mount.propagation}" if mount.propagation else "")


def _port_bindings(spec: ContainerSpec) -> dict[str, Any]:
    return {
        f"{port.container_port}/{port.protocol.lower()}": [{"HostIp": port.host_ip, "HostPort": str(port.host_port)}]
        for port in spec.ports
    }


def _security(spec: ContainerSpec) -> dict[str, Any]:
    security = spec.security
    config: dict[str, Any] = {
        "Privileged": security.privileged,
        "ReadonlyRootfs": security.read_only_root,
        "GroupAdd": list(security.groups),
        "CapAdd": list(security.capabilities_add),
        "CapDrop": list(security.capabilities_drop),
        "SecurityOpt": list(security.options),
    }
    if not security.masked_paths:
        config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    return {key: value for key, value in config.items() if value or key in ("MaskedPaths", "ReadonlyPaths")}


def _resources(spec: ContainerSpec) -> dict[str, Any]:
    wanted = spec.resources
    config: dict[str, Any] = {}
    if wanted.cpu_shares:
        config["CpuShares"] = wanted.cpu_shares
    if wanted.cpu_quota:
        config |= {"CpuPeriod": CPU_PERIOD, "CpuQuota": wanted.cpu_quota}
    if wanted.memory:
        config |= {"Memory": wanted.memory, "MemorySwap": wanted.memory}
    if wanted.oom_score_adj is not None:
        config["OomScoreAdj"] = wanted.oom_score_adj
    return config


def container(found: Mapping[str, Any]) -> Container:
    """One answer of GET /containers/<id>/json."""
    state, noted = found["State"], found["Config"].get("Labels") or {}
    status, created = _state(state), moment(found.get("Created", ""))
    return Container(
        id=found["Id"],
        name=noted.get(LABEL_CONTAINER_NAME, ""),
        pod_uid=noted.get(LABEL_POD_UID, ""),
        pod_name=noted.get(LABEL_POD_NAME, ""),
        namespace=noted.get(LABEL_POD_NAMESPACE, ""),
        engine_name=found.get("Name", "").lstrip("/"),
        state=status,
        attempt=int(noted.get(labels.ATTEMPT, 0)),
        backoff=int(noted.get(labels.BACKOFF, 0)),
        hash=noted.get(labels.HASH, ""),
        image=found["Config"].get("Image", ""),
        image_id=noted.get(labels.IMAGE_ID) or f"docker://{found.get('Image', '')}",
        stop_signal=found["Config"].get("StopSignal") or "SIGTERM",
        sandbox_id=(found.get("HostConfig") or {}).get("NetworkMode", "").removeprefix("container:"),
        address=noted.get(labels.ADDRESS, ""),
        message_file=noted.get(labels.MESSAGE_FILE, ""),
        created_at=created,
        started_at=moment(state.get("StartedAt", "")),
        finished_at=(moment(state.get("FinishedAt", "")) or created) if status == "exited" else None,
        exit_code=int(state.get("ExitCode", 0)),
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error", ""),
        process=int(state.get("Pid") or 0),
    )


def _state(state: Mapping[str, Any]) -> State:
    """The engine calls a container whose start failed `created`, with an exit code."""
    if state.get("Running") or state["Status"] in ("running", "paused", "restarting"):
        return "running"
    if state["Status"] == "created" and not state.get("ExitCode") and not state.get("Error"):
        return "created"
    return "exited"


_FRACTION = re.compile(r"(\.\d{1,6})\d*")


def moment(text: str) -> datetime | None:
    """The engine's nanosecond times; None for its zero time."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text)).astimezone(UTC)


def image(found: Mapping[str, Any]) -> Image:
    """One answer of GET /images/<name>/json."""
    config = found.get("Config") or {}
    return Image(
        id=found["Id"],
        digests=tuple(found.get("RepoDigests") or ()),
        user=config.get("User") or "",
        stop_signal=config.get("StopSignal") or "",
        size=int(found.get("Size") or 0),
    )
