"""Security contexts to engine terms. PURE; called by container_spec.

Follows upstream's `pkg/securitycontext` and `kuberuntime/security_context.go`.
"""

from __future__ import annotations

from typing import Any

from kubelite.node.environment import ConfigError
from kubelite.node.runtime import Image, Security
from kubelite.node.seccomp import LOCAL
from kubelite.node.view import full_name
from kubelite.objects.meta import Obj

_POD_WIDE = ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "appArmorProfile")


def effective_context(pod: Obj, container: Obj) -> dict[str, Any]:
    """The container's own settings over the pod's."""
    pod_wide = pod["spec"].get("securityContext") or {}
    inherited = {key: pod_wide[key] for key in _POD_WIDE if pod_wide.get(key) is not None}
    own = {key: value for key, value in (container.get("securityContext") or {}).items() if value is not None}
    return inherited | own


def security_of(pod: Obj, container: Obj, image: Image) -> Security:
    context = effective_context(pod, container)
    if context.get("runAsNonRoot"):
        _verify_non_root(pod, container, context, image)
    capabilities = context.get("capabilities") or {}
    privileged = bool(context.get("privileged"))
    return Security(
        user=_user(context, image),
        groups=_groups(pod),
        privileged=privileged,
        capabilities_add=tuple(capabilities.get("add") or ()),
        capabilities_drop=tuple(capabilities.get("drop") or ()),
        read_only_root=bool(context.get("readOnlyRootFilesystem")),
        options=() if privileged else _options(context),
    )


def _user(context: dict[str, Any], image: Image) -> str:
    user = str(context["runAsUser"]) if "runAsUser" in context else ""
    if "runAsGroup" not in context:
        return user
    return f"{user or image.user.partition(':')[0] or '0'}:{context['runAsGroup']}"


def _groups(pod: Obj) -> tuple[str, ...]:
    context = pod["spec"].get("securityContext") or {}
    groups = [*(context.get("supplementalGroups") or ())]
    if context.get("fsGroup") is not None:
        groups.append(context["fsGroup"])
    return tuple(str(group) for group in groups)


def _options(context: dict[str, Any]) -> tuple[str, ...]:
    """A Kubernetes container without a profile is not confined by seccomp."""
    options = []
    if context.get("allowPrivilegeEscalation") is False:
        options.append("no-new-privileges")
    profile = (context.get("seccompProfile") or {}).get("type") or "Unconfined"
    if profile == "Unconfined":
        options.append("seccomp=unconfined")
    elif profile == "Localhost":
        options.append(f"{LOCAL}{context['seccompProfile'].get('localhostProfile', '')}")
    match context.get("appArmorProfile"):
        case {"type": "Unconfined"}:
            options.append("apparmor=unconfined")
        case {"type": "Localhost", "localhostProfile": name}:
            options.append(f"apparmor={name}")
    return tuple(options)


def _verify_non_root(pod: Obj, container: Obj, context: dict[str, Any], image: Image) -> None:
    where = f'(pod: "{full_name(pod)}", container: {container["name"]})'
    if "runAsUser" in context:
        if context["runAsUser"] == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    user = image.user.partition(":")[0]
    if user in ("", "0", "root"):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if not user.isdigit():
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root {where}"
        )
