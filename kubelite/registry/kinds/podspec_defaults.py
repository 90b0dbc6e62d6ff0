"""What the API server fills into pod specs and pod templates; after upstream's `core/v1` defaults.

Called by the `default` of Pod and of every kind with a template. All functions change their argument in place and
are idempotent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.persistentvolumeclaim import default_claim
from kubelite.registry.kinds.podspec_gates import drop_gated_fields
from kubelite.registry.kinds.podspec_resources import round_up_quantities

DEFAULT_GRACE_SECONDS = 30

_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": DEFAULT_GRACE_SECONDS,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_FILE_MODE = {"defaultMode": 0o644}
_VOLUME_SOURCES: Mapping[str, Mapping[str, Any]] = {
    "hostPath": {"type": ""},
    "secret": _FILE_MODE,
    "configMap": _FILE_MODE,
    "downwardAPI": _FILE_MODE,
    "projected": _FILE_MODE,
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::(?P<tag>[\w.-]{1,128}))?(?P<digest>@\S+)?"
)


def fill(target: Obj, defaults: Mapping[str, Any]) -> None:
    """Set what `target` lacks; an empty text counts as lacking."""
    for key, value in defaults.items():
        if target.get(key) in (None, ""):
            target[key] = value


def default_pod(spec: Obj) -> None:
    """The spec of a Pod object: the defaults of every pod spec and those that templates don't get."""
    default_pod_spec(spec)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        limits = container["resources"].get("limits")
        if limits is not None:
            requests = container["resources"].get("requests") or {}
            container["resources"]["requests"] = {**limits, **requests}
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                port["hostPort"] = port.get("hostPort") or port.get("containerPort")
    fill(spec, {"enableServiceLinks": True})


def default_template(template: Obj) -> None:
    """A PodTemplateSpec; its metadata shows the zero creation time, as upstream's JSON does."""
    template["metadata"] = {"creationTimestamp": None} | (template.get("metadata") or {})
    template["spec"] = template.get("spec") or {}
    default_pod_spec(template["spec"])


def default_pod_spec(spec: Obj) -> None:
    fill(spec, _SPEC)
    spec["securityContext"] = spec.get("securityContext") or {}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes") or ():
        _volume(volume)
    for container in all_containers(spec):
        _container(container)
    drop_gated_fields(spec)
    round_up_quantities(spec.get("overhead"))


def all_containers(spec: Obj) -> Iterator[Obj]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind) or ()


def default_pull_policy(image: str) -> str:
    """Always for `latest`, said or implied; what can't be read as a reference counts as tagged."""
    found = _REFERENCE.fullmatch(image)
    if found is None:
        return "IfNotPresent"
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def _container(container: Obj) -> None:
    container["resources"] = container.get("resources") or {}
    for bound in ("limits", "requests"):
        round_up_quantities(container["resources"].get(bound))
    fill(container, {"imagePullPolicy": default_pull_policy(container.get("image") or "")} | _CONTAINER)
    for port in container.get("ports") or ():
        fill(port, {"protocol": "TCP"})
    for variable in container.get("env") or ():
        _value_source(variable.get("valueFrom") or {})
    for name in _PROBES:
        if container.get(name) is not None:
            _probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        _handler(hook or {})


def _probe(probe: Obj) -> None:
    for key, value in _PROBE.items():
        probe[key] = probe.get(key) or value
    _handler(probe)
    if probe.get("grpc") is not None:
        probe["grpc"].setdefault("service", "")


def _handler(handler: Obj) -> None:
    if handler.get("httpGet") is not None:
        fill(handler["httpGet"], {"path": "/", "scheme": "HTTP"})


def _value_source(source: Obj) -> None:
    """An env variable's valueFrom or an item of a downward API volume."""
    if source.get("fieldRef") is not None:
        fill(source["fieldRef"], {"apiVersion": "v1"})
    if source.get("resourceFieldRef") is not None:
        fill(source["resourceFieldRef"], {"divisor": "0"})


def _volume(volume: Obj) -> None:
    sources = {key: value for key, value in volume.items() if key != "name" and value is not None}
    if not sources:
        volume["emptyDir"] = {}
    for name, source in sources.items():
        fill(source, _VOLUME_SOURCES.get(name, {}))
    _items(sources.get("downwardAPI"))
    for source in (sources.get("projected") or {}).get("sources") or ():
        _items(source.get("downwardAPI"))
        if source.get("serviceAccountToken") is not None:
            fill(source["serviceAccountToken"], {"expirationSeconds": 3600})
    if claim := (sources.get("ephemeral") or {}).get("volumeClaimTemplate"):
        claim["metadata"] = {"creationTimestamp": None} | (claim.get("metadata") or {})
        default_claim(claim)


def _items(files: Obj | None) -> None:
    for item in (files or {}).get("items") or ():
        _value_source(item)
