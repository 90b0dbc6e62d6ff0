"""Storage classes, claims and volumes for tests of their controllers."""

from __future__ import annotations

from typing import Any

from kubelite.bootstrap import STORAGE_CLASS
from kubelite.controllers.volumes.provisioner import PROVISIONER
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry


def storage_class(registry: Registry, name: str = STORAGE_CLASS, *, default: bool = False, **more: Any) -> Obj:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    metadata = {"name": name, "annotations": annotations}
    return registry.create("storageclasses", {"metadata": metadata, "provisioner": PROVISIONER, **more})


def claim(registry: Registry, name: str = "data", annotations: Obj | None = None, **spec: Any) -> Obj:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}, **spec}
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return registry.create("persistentvolumeclaims", {"metadata": metadata, "spec": asked})


def volume(registry: Registry, name: str, size: str = "1Gi", **spec: Any) -> Obj:
    asked = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": f"/tmp/{name}"},
        **spec,
    }
    return registry.create("persistentvolumes", {"metadata": {"name": name}, "spec": asked})


def found(registry: Registry, name: str = "data") -> Obj:
    return registry.get("persistentvolumeclaims", "default", name)
