"""Definitions of custom resources for tests."""

from __future__ import annotations

from typing import Any

from kubelite.objects.meta import Obj

GROUP = "stable.example.com"
RESOURCE = f"crontabs.{GROUP}"
SPEC_SCHEMA: Obj = {
    "type": "object",
    "properties": {
        "cron": {"type": "string", "pattern": r"^\S+( \S+)*$"},
        "replicas": {"type": "integer", "minimum": 1, "default": 1},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port"],
            "items": {
                "type": "object",
                "required": ["port"],
                "properties": {"port": {"type": "integer"}, "name": {"type": "string"}},
            },
        },
    },
}
STATUS_SCHEMA: Obj = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}},
}
SCALE: Obj = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def version(name: str = "v1", spec: Obj = SPEC_SCHEMA, **more: Any) -> Obj:
    schema = {"type": "object", "properties": {"spec": spec, "status": STATUS_SCHEMA}}
    return {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}, **more}


def definition(*versions: Obj, names: Obj | None = None, **spec: Any) -> Obj:
    given = {"plural": "crontabs", "kind": "CronTab"} | (names or {})
    found = {"group": GROUP, "scope": "Namespaced", "names": given, "versions": list(versions or [version()])} | spec
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{given['plural']}.{found['group']}"},
        "spec": found,
    }


def crontab(name: str = "one", **spec: Any) -> Obj:
    return {"apiVersion": f"{GROUP}/v1", "kind": "CronTab", "metadata": {"name": name}, "spec": spec}
