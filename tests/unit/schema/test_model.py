import pytest

from kubelite.schema import model
from kubelite.schema.model import definition_for

WITHOUT_WIRE = ("io.k8s.apiextensions-apiserver.", "io.k8s.kube-aggregator.", "io.k8s.api.flowcontrol.")


@pytest.mark.parametrize(
    ("group", "version", "kind"),
    [
        ("", "v1", "Pod"),
        ("", "v1", "Binding"),
        ("apps", "v1", "StatefulSet"),
        ("autoscaling", "v1", "Scale"),
        ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        ("batch", "v1", "CronJob"),
        ("policy", "v1", "Eviction"),
        ("policy", "v1beta1", "Eviction"),
        ("authentication.k8s.io", "v1", "TokenRequest"),
        ("apps", "v1", "DeleteOptions"),
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    ],
)
def test_definition_is_found_for_built_in_kinds(group: str, version: str, kind: str) -> None:
    found = definition_for(group, version, kind)
    assert found is not None
    assert found.kind == kind


def test_definition_is_none_for_a_kind_that_is_not_built_in() -> None:
    assert definition_for("example.com", "v1", "Widget") is None


def test_field_knows_its_patch_and_list_keys() -> None:
    pod_spec = model.definition("io.k8s.api.core.v1.PodSpec")
    containers = pod_spec.fields["containers"]
    assert containers.patch_strategies == ("merge",)
    assert containers.patch_merge_key == "name"
    assert containers.list_map_keys == ("name",)
    assert containers.type.item is not None
    assert containers.type.item.definition is model.definition("io.k8s.api.core.v1.Container")
    assert pod_spec.fields["volumes"].patch_strategies == ("merge", "retainKeys")
    assert pod_spec.patch_rules("volumes").strategy == "merge"


def test_pointer_fields_keep_their_zero_also_through_inlined_messages() -> None:
    fields = model.definition("io.k8s.api.apps.v1.StatefulSetSpec").fields
    assert fields["replicas"].keeps_zero
    assert not fields["minReadySeconds"].keeps_zero
    assert model.definition("io.k8s.api.core.v1.EphemeralContainer").fields["restartPolicy"].keeps_zero


def _message_fields(name: str) -> set[str]:
    found: set[str] = set()
    for field in model.wire_messages()[name].values():
        found |= _message_fields(field.message) if field.message else {field.name}
    return found


def test_every_field_has_a_protobuf_number_and_every_number_a_field() -> None:
    unlisted = {
        name
        for name in model.schemas()
        if name.startswith("io.k8s.api.") and not name.endswith("List") and not name.startswith(WITHOUT_WIRE)
    }
    for name in unlisted:
        wanted = set(model.definition(name).fields) - {"apiVersion", "kind"}
        assert _message_fields(name) - {"apiVersion", "kind"} == wanted - ({"apiVersion", "kind"}), name


def test_go_names_are_those_of_upstream_errors() -> None:
    pod = model.definition("io.k8s.api.core.v1.PodSpec").fields
    assert pod["containers"].type.go_name == "[]v1.Container"
    assert pod["nodeSelector"].type.go_name == "map[string]string"
    assert pod["securityContext"].type.go_name == "v1.PodSecurityContext"
    assert pod["hostNetwork"].type.go_name == "bool"
