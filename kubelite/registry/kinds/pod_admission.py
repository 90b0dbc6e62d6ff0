"""What admission does to pods: default resources, service account and its token, priority, default tolerations.

After upstream's plug-ins LimitRanger, ServiceAccount, Priority, DefaultTolerationSeconds and RuntimeClass, in their order.
"""

from __future__ import annotations

import secrets

from kubelite.errors import StatusError, forbidden
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Reader
from kubelite.registry.kinds.limitrange_admission import apply_defaults
from kubelite.registry.kinds.priorityclass import SYSTEM_PRIORITIES
from kubelite.registry.kinds.runtimeclass import admit_runtime_class
from kubelite.registry.strategy import SAFE_ALPHABET

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_VOLUME_PREFIX = "kube-api-access-"
TOKEN_SECONDS = 3607
ROOT_CA_CONFIG_MAP = "kube-root-ca.crt"

_DEFAULT_PREEMPTION = "PreemptLowerPriority"
_TOLERATION_SECONDS = 300
_NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def admit_pod(new: Obj, old: Obj | None, reader: Reader) -> None:
    if old is None:
        apply_defaults(new, reader)
        _set_service_account(new, reader)
        _set_priority(new, reader)
    else:
        for field in ("priority", "preemptionPolicy"):
            if new["spec"].get(field) is None and field in old["spec"]:
                new["spec"][field] = old["spec"][field]
    _tolerate_node_troubles(new["spec"])
    if old is None:
        admit_runtime_class(new, reader)


def _refused(pod: Obj, why: str) -> StatusError:
    return forbidden("pods", meta.name(pod) or pod["metadata"].get("generateName", ""), why)


def _set_service_account(pod: Obj, reader: Reader) -> None:
    spec, namespace = pod["spec"], meta.namespace(pod)
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = reader.find("serviceaccounts", namespace, name)
    if account is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise _refused(pod, why)
    if _mounts_token(spec, account):
        _mount_token(spec)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(reference) for reference in account["imagePullSecrets"]]


def _mounts_token(spec: Obj, account: Obj) -> bool:
    """The pod's own word counts before its service account's."""
    wishes = (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken"), True)
    return next(wish for wish in wishes if wish is not None)


def _mount_token(spec: Obj) -> None:
    volumes = [volume.get("name") or "" for volume in spec.get("volumes") or ()]
    existing = next((name for name in volumes if name.startswith(TOKEN_VOLUME_PREFIX)), None)
    name = existing or TOKEN_VOLUME_PREFIX + "".join(secrets.choice(SAFE_ALPHABET) for _ in range(5))
    needed = False
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        mounts = container.get("volumeMounts") or []
        if all(mount.get("mountPath") != TOKEN_PATH for mount in mounts):
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}]
            needed = True
    if needed and not existing:
        spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume(name)]


def _token_volume(name: str) -> Obj:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": ROOT_CA_CONFIG_MAP, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"defaultMode": 0o644, "sources": sources}}


def _set_priority(pod: Obj, reader: Reader) -> None:
    spec = pod["spec"]
    priority, preemption = _priority(pod, reader)
    if spec.get("priority") not in (None, priority):
        raise _refused(
            pod,
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {priority} from the given PriorityClass name",
        )
    if spec.get("preemptionPolicy") not in (None, preemption):
        raise _refused(
            pod,
            f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
            f"priority admission controller computed {preemption} from the given PriorityClass name",
        )
    spec["priority"], spec["preemptionPolicy"] = priority, preemption


def _priority(pod: Obj, reader: Reader) -> tuple[int, str]:
    spec = pod["spec"]
    name = spec.get("priorityClassName")
    if not name:
        default = _default_class(reader)
        if default is None:
            return 0, _DEFAULT_PREEMPTION
        name = spec["priorityClassName"] = meta.name(default)
    found = reader.find("priorityclasses", None, name)
    if found is not None:
        return found.get("value", 0), found.get("preemptionPolicy") or _DEFAULT_PREEMPTION
    if name in SYSTEM_PRIORITIES:
        return SYSTEM_PRIORITIES[name], _DEFAULT_PREEMPTION
    raise _refused(pod, f"no PriorityClass with name {name} was found")


def _default_class(reader: Reader) -> Obj | None:
    """Of several default classes the lowest counts."""
    defaults = [found for found in reader.list("priorityclasses") if found.get("globalDefault")]
    return min(defaults, key=lambda found: found.get("value", 0), default=None)


def _tolerate_node_troubles(spec: Obj) -> None:
    given = spec.get("tolerations") or []
    added = [
        {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for taint in _NODE_TAINTS
        if not any(_tolerates(toleration, taint) for toleration in given)
    ]
    if added:
        spec["tolerations"] = [*given, *added]


def _tolerates(toleration: Obj, taint: str) -> bool:
    return (toleration.get("key") or taint) == taint and (toleration.get("effect") or "NoExecute") == "NoExecute"
