"""Pods to be looked at, and what rules say of them again and again."""

from __future__ import annotations

from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod import POD

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
PORT_RANGE = "must be between 1 and 65535, inclusive"
C = "spec.containers[0]"


def errors_of(pod: Obj, old: Obj | None = None) -> list[str]:
    POD.default(pod)
    return [str(error) for error in POD.validate(pod, old)]


def pod(**spec: Any) -> Obj:
    base = {"containers": [{"name": "web", "image": "httpd:2.4"}]}
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": meta.copy(base | spec)}


def web(**fields: Any) -> Obj:
    return pod(containers=[{"name": "web", "image": "httpd:2.4", **fields}])


def volumes(*given: Obj) -> Obj:
    return pod(volumes=list(given))
