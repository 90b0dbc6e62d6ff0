"""What a CustomResourceDefinition is given, and what it is refused for."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.customresources import definition, version

SCHEMA = "spec.validation.openAPIV3Schema"


def test_names_and_versions_are_filled_in(registry: Registry) -> None:
    made = registry.create("customresourcedefinitions", definition())
    assert made["spec"]["names"] | {"singular": "crontab", "listKind": "CronTabList"} == made["spec"]["names"]
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert made["status"] == {
        "conditions": [],
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": ["v1"],
    }


def test_a_new_storage_version_is_remembered(registry: Registry) -> None:
    made = meta.copy(registry.create("customresourcedefinitions", definition()))
    made["spec"]["versions"] = [version("v1", storage=False), version("v2", storage=True)]
    made = meta.copy(registry.update("customresourcedefinitions", made))
    assert made["status"]["storedVersions"] == ["v1", "v2"]
    made["spec"]["versions"] = [version("v2", storage=True)]
    with pytest.raises(
        StatusError, match=r'status.storedVersions\[0\]: Invalid value: "v1": must appear in spec.versions'
    ):
        registry.update("customresourcedefinitions", made)


def with_schema(schema: Any) -> Obj:
    return definition(version(schema={"openAPIV3Schema": schema}))


def with_field(**field: Any) -> Obj:
    return with_schema({"type": "object", "properties": {"f": field}})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (definition(group="example"), 'spec.group: Invalid value: "example": should be a domain with at least one dot'),
        (
            definition(scope="World"),
            'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
        ),
        (
            {**definition(), "metadata": {"name": "x.y.z"}},
            'metadata.name: Invalid value: "x.y.z": must be spec.names.plural+"."+spec.group',
        ),
        (
            definition(names={"kind": "9"}),
            'spec.names.kind: Invalid value: "9": may have mixed case, but should otherwise',
        ),
        (definition(names={"listKind": "CronTab"}), "kind and listKind may not be the same"),
        (definition(version("v1", storage=False)), "must have exactly one version marked as storage version"),
        (definition(version(), version("v1", storage=False)), 'spec.versions[1].name: Duplicate value: "v1"'),
        (
            definition(version(schema={})),
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (definition(preserveUnknownFields=True), "spec.preserveUnknownFields: Invalid value: true: cannot set to true"),
        (with_schema({}), f"{SCHEMA}.type: Required value: must not be empty at the root"),
        (with_schema({"type": "string"}), f'{SCHEMA}.type: Invalid value: "string": must be object at the root'),
        (with_field(), f"{SCHEMA}.properties[f].type: Required value: must not be empty for specified object fields"),
        (with_field(type="list"), f'{SCHEMA}.properties[f].type: Unsupported value: "list"'),
        (with_field(type="array"), f"{SCHEMA}.properties[f].items: Required value: must be specified"),
        (with_field(type="string", uniqueItems=True), "uniqueItems cannot be set to true"),
        (with_field(type="string", pattern="("), f"{SCHEMA}.properties[f].pattern: Invalid value"),
        (with_field(type="integer", default="x"), f"{SCHEMA}.properties[f].default: Invalid value"),
        (
            with_field(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "map"}),
            "must not be empty if x-kubernetes-list-type is map",
        ),
        (
            definition(
                version(subresources={"scale": {"specReplicasPath": ".x.y", "statusReplicasPath": ".status.r"}})
            ),
            'specReplicasPath: Invalid value: ".x.y": should be a json path under .spec',
        ),
        (
            definition(version(additionalPrinterColumns=[{"name": "X", "type": "text", "jsonPath": ".x"}])),
            'additionalPrinterColumns[0].type: Unsupported value: "text"',
        ),
    ],
)
def test_definitions_that_are_refused(registry: Registry, given: Obj, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        registry.create("customresourcedefinitions", given)
    assert message in refused.value.message
