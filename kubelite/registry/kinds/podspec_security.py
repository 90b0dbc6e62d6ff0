"""Rules about the security contexts of pods and containers; after upstream's functions of the same names."""

from __future__ import annotations

import re

from kubelite.errors import duplicate, invalid_value, required, too_long
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_rules import Errors, descending_path, one_of, user_id, within

_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"^({_SYSCTL_SEGMENT}[\./])*{_SYSCTL_SEGMENT}$"
_SYSCTL_TEXT = f"must have at most 253 characters and match regex {_SYSCTL}"
_APPARMOR_NAME_MAX = 4095
_NET_PREFIX = "net."
_IPC_PREFIXES = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def pod_security_context(path: str, spec: Obj) -> Errors:
    context = spec.get("securityContext") or {}
    errors: Errors = []
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        errors += user_id(f"{path}.{name}", context.get(name))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += user_id(f"{path}.supplementalGroups[{index}]", group)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid_value(f"{path}.shareProcessNamespace", True, text))
    errors += _sysctls(f"{path}.sysctls", context.get("sysctls") or (), spec)
    errors += within(f"{path}.fsGroupChangePolicy", context.get("fsGroupChangePolicy"), ("Always", "OnRootMismatch"))
    return errors + _profiles(path, context)


def _sysctls(path: str, sysctls: list[Obj] | tuple[Obj, ...], spec: Obj) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, entry in enumerate(sysctls):
        at, name = f"{path}[{index}].name", entry.get("name") or ""
        if not name:
            errors.append(required(at))
        elif len(name) > 253 or not re.fullmatch(_SYSCTL, name):
            errors.append(invalid_value(at, name, _SYSCTL_TEXT))
        elif name in seen:
            errors.append(duplicate(at, name))
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith(_NET_PREFIX):
            errors.append(invalid_value(at, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and dotted.startswith(_IPC_PREFIXES):
            errors.append(invalid_value(at, name, "may not be specified when 'hostIPC' is true"))
    return errors


def security_context(path: str, context: Obj) -> Errors:
    """A container's."""
    errors = user_id(f"{path}.runAsUser", context.get("runAsUser"))
    errors += user_id(f"{path}.runAsGroup", context.get("runAsGroup"))
    errors += within(f"{path}.procMount", context.get("procMount"), ("Default", "Unmasked"))
    errors += _profiles(path, context)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid_value(path, context, text))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid_value(path, context, text))
    return errors


def _profiles(path: str, context: Obj) -> Errors:
    seccomp, apparmor = context.get("seccompProfile"), context.get("appArmorProfile")
    errors = _profile(f"{path}.seccompProfile", seccomp, "seccomp") if seccomp is not None else []
    return errors + (_profile(f"{path}.appArmorProfile", apparmor, "AppArmor") if apparmor is not None else [])


def _profile(path: str, profile: Obj, what: str) -> Errors:
    kind, local = profile.get("type"), profile.get("localhostProfile")
    if not kind:
        return [required(f"{path}.type", f"type is required when {path.rpartition('.')[2]} is set")]
    errors = one_of(f"{path}.type", kind, ("Localhost", "RuntimeDefault", "Unconfined"))
    at = f"{path}.localhostProfile"
    if kind != "Localhost":
        text = f"can only be set when {what} type is Localhost"
        return errors if local is None else [*errors, invalid_value(at, local, text)]
    if local is None or (what == "AppArmor" and local == ""):
        return [*errors, required(at, f"must be set when {what} type is Localhost")]
    return errors + (descending_path(at, local) if what == "seccomp" else _apparmor_name(at, local))


def _apparmor_name(path: str, name: str) -> Errors:
    errors = [invalid_value(path, name, "must not be padded with whitespace")] if name != name.strip() else []
    return errors + ([too_long(path, _APPARMOR_NAME_MAX)] if len(name) > _APPARMOR_NAME_MAX else [])
