"""Rules about what a pod says of its operating system, and about Windows' host process containers; after upstream's
`validateLinux`, `validateWindows` and `validateWindowsHostProcessPod`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubelite.errors import forbidden_field, invalid_value
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_rules import Errors

_LINUX_OF_POD = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_LINUX_OF_POD_CONTEXT = (
    *("appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"),
    *("runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy"),
)
_LINUX_OF_CONTAINER = (
    *("appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged"),
    *("allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"),
)


def operating_system(path: str, spec: Obj) -> Errors:
    system = (spec.get("os") or {}).get("name")
    errors = _host_process(path, spec)
    if system == "linux":
        contexts = [(path, spec), *_containers(path, spec)]
        text = "windows options cannot be set for a linux pod"
        errors += [
            forbidden_field(f"{at}.securityContext.windowsOptions", text)
            for at, of in contexts
            if _windows(of) is not None
        ]
    elif system == "windows":
        errors += [forbidden_field(at, "cannot be set for a windows pod") for at in _linux_only(path, spec)]
    return errors


def _linux_only(path: str, spec: Obj) -> Iterator[str]:
    yield from (f"{path}.{name}" for name in _LINUX_OF_POD if spec.get(name))
    context = spec.get("securityContext") or {}
    yield from (f"{path}.securityContext.{name}" for name in _LINUX_OF_POD_CONTEXT if context.get(name) is not None)
    for at, container in _containers(path, spec):
        context = container.get("securityContext") or {}
        yield from (f"{at}.securityContext.{name}" for name in _LINUX_OF_CONTAINER if context.get(name) is not None)


def _host_process(path: str, spec: Obj) -> Errors:
    """Either none of a pod's containers are host processes, or all are, on the host's network."""
    of_pod = (_windows(spec) or {}).get("hostProcess")
    errors: Errors = []
    count = 0
    containers = list(_containers(path, spec))
    for at, container in containers:
        own = (_windows(container) or {}).get("hostProcess")
        if None not in (of_pod, own) and of_pod != own:
            text = f"pod hostProcess value must be identical if both are specified, was {str(of_pod).lower()}"
            errors.append(invalid_value(f"{at}.securityContext.windowsOptions.hostProcess", own, text))
        count += bool(of_pod if own is None else own)
    if count and count != len(containers):
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        errors.append(invalid_value(path, "", text))
    if count and not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        errors.append(invalid_value(f"{path}.hostNetwork", False, text))
    return errors


def _windows(of: Obj) -> Obj | None:
    options: Obj | None = (of.get("securityContext") or {}).get("windowsOptions")
    return options


def _containers(path: str, spec: Obj) -> Iterator[tuple[str, Obj]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"{path}.{kind}[{index}]", container
