"""What is mounted into one container. Called by the container starter, in a thread.

Volume mounts with their sub-paths, the pod's resolv.conf, hosts and hostname, and the termination message file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kubelite.node.environment import ConfigError, expand
from kubelite.node.host_volumes import Volume
from kubelite.node.runtime import Mount
from kubelite.node.sub_path import sub_path
from kubelite.objects.meta import Obj

ETC_FILES = {"/etc/resolv.conf": "resolv.conf", "/etc/hosts": "hosts", "/etc/hostname": "hostname"}
_WRITABLE = ("hosts",)  # also where the root file system isn't: upstream's runtimes seal the others with it
MESSAGE_PATH = "/dev/termination-log"
_PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}


def message_file(directory: Path, container: str, attempt: int) -> Path:
    """The host side of a container's termination message."""
    return directory / "containers" / container / str(attempt)


def mounts_of(
    container: Obj, attempt: int, directory: Path, volumes: Mapping[str, Volume], variables: Mapping[str, str]
) -> list[Mount]:
    """All mounts; makes the message file and missing sub-paths. ConfigError when a mount can't be."""
    entries = container.get("volumeMounts") or ()
    wanted = [_volume_mount(container["name"], entry, volumes, variables) for entry in entries]
    taken = {mount.target for mount in wanted}
    sealed = bool((container.get("securityContext") or {}).get("readOnlyRootFilesystem"))
    for target, name in ETC_FILES.items():
        path = directory / "etc" / name
        if target not in taken and path.exists():
            wanted.append(Mount(str(path), target, read_only=sealed and name not in _WRITABLE))
    message = message_file(directory, container["name"], attempt)
    message.parent.mkdir(parents=True, exist_ok=True)
    message.touch()
    message.chmod(0o666)
    return [*wanted, Mount(str(message), _absolute(container.get("terminationMessagePath") or MESSAGE_PATH))]


def _volume_mount(name: str, entry: Obj, volumes: Mapping[str, Volume], variables: Mapping[str, str]) -> Mount:
    volume = volumes.get(entry["name"])
    if volume is None:
        raise ConfigError(f'cannot find volume "{entry["name"]}" to mount into container "{name}"')
    if entry.get("recursiveReadOnly") == "Enabled":
        problem = f'volume "{entry["name"]}" requested recursive read-only mode, but it is not supported by the runtime'
        raise ConfigError(f"failed to resolve recursive read-only mode: {problem}")
    below = entry.get("subPath") or _expanded(entry.get("subPathExpr") or "", variables)
    source = sub_path(volume.path, below, f'volumeMount "{entry["name"]}" of container "{name}"')
    return Mount(
        str(source),
        _absolute(entry["mountPath"]),
        volume.read_only or bool(entry.get("readOnly")),
        _PROPAGATION.get(entry.get("mountPropagation") or "", ""),
        volume.create and not below,
    )


def _absolute(path: str) -> str:
    """A relative path in a container begins at its root."""
    return path if path.startswith("/") else f"/{path}"


def _expanded(expression: str, variables: Mapping[str, str]) -> str:
    missing = []

    def value(name: str) -> str:
        if not variables.get(name):
            missing.append(name)
        return variables.get(name, "")

    text = expand(expression, value)
    if missing:
        raise ConfigError(f"missing value for {', '.join(sorted(set(missing)))}")
    return text
