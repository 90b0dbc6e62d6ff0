from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubelite.errors import StatusError
from kubelite.objects.go_value import go_value
from kubelite.schema.decode import Duplicate, decode_json, decode_yaml
from kubelite.schema.model import definition_for
from kubelite.schema.strict import accept, accept_patched, check, prune

POD = ("", "v1", "Pod")
STATEFUL_SET = ("apps", "v1", "StatefulSet")


def checked(obj: dict[str, Any], gvk: tuple[str, str, str] = POD) -> Any:
    definition = definition_for(*gvk)
    assert definition is not None
    return check(obj, definition)


def pod(**container: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", **container}]}}


def test_well_formed_object_is_returned_as_it_is() -> None:
    obj = pod(image="httpd", ports=[{"containerPort": 80}], resources={"limits": {"cpu": "500m"}})
    result = checked(obj)
    assert result.object is obj
    assert result.errors == result.unknown == ()


def test_all_unknown_fields_are_reported_with_their_paths() -> None:
    obj = pod(foo=1, env=[{"name": "A", "valeu": "x"}])
    obj["spec"]["bar"] = None
    obj["metadata"] = {"label": {}}
    assert set(checked(obj).unknown) == {
        "spec.containers[0].foo",
        "spec.containers[0].env[0].valeu",
        "spec.bar",
        "metadata.label",
    }


def test_field_names_are_case_sensitive() -> None:
    assert checked(pod(Image="httpd")).unknown == ("spec.containers[0].Image",)


def test_prune_drops_unknown_fields_and_nulls_without_changing_its_input() -> None:
    obj = pod(foo=1, image=None)
    before = msgspec.json.encode(obj)
    definition = definition_for(*POD)
    assert definition is not None
    assert prune(obj, definition) == pod()
    assert msgspec.json.encode(obj) == before


def test_map_entries_that_are_null_become_empty_strings() -> None:
    assert checked({"metadata": {"labels": {"a": None, "b": "c"}}}).object["metadata"]["labels"] == {"a": "", "b": "c"}


def test_free_form_values_are_left_alone() -> None:
    revision = {"data": {"any": [{"thing": None}]}, "revision": 1}
    assert checked(revision, ("apps", "v1", "ControllerRevision")).object == revision


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ({"replicas": 0}, {"replicas": 0}),
        ({"minReadySeconds": 0}, {}),
        ({"serviceName": ""}, {"serviceName": ""}),
        ({"podManagementPolicy": ""}, {}),
        ({"volumeClaimTemplates": []}, {}),
        ({"selector": {"matchLabels": {}}}, {"selector": {}}),
    ],
)
def test_zero_values_stay_only_where_upstream_writes_them(spec: dict[str, Any], kept: dict[str, Any]) -> None:
    assert checked({"spec": spec}, STATEFUL_SET).object["spec"] == kept


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        (0.5, "500m"), ("0.5", "500m"), (2, "2"), ("1024Mi", "1Gi"), ("1000", "1k"), ("100m", "100m"),
        ("1.5Gi", "1536Mi"), ("0", "0"), ("0Mi", "0"), ("1e3", "1e3"), ("1500m", "1500m"), ("1000m", "1"), ("512", "512"),
        ("-1Ki", "-1Ki"), ("0.5Ki", "512"), ("128974848", "128974848"), ("129M", "129M"), ("1E", "1E"),
    ],
)  # fmt: skip
def test_quantities_are_kept_in_canonical_form(written: Any, canonical: str) -> None:
    obj = checked(pod(resources={"limits": {"x": written}})).object
    assert obj["spec"]["containers"][0]["resources"]["limits"]["x"] == canonical


def test_times_are_kept_in_utc() -> None:
    obj = checked({"metadata": {"creationTimestamp": "2026-01-01T02:00:00.5+02:00"}}).object
    assert obj["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    lease = checked({"spec": {"renewTime": "2026-01-01T00:00:00Z"}}, ("coordination.k8s.io", "v1", "Lease")).object
    assert lease["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"


TEMPLATE = "spec.template.spec.containers"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"replicas": "3"}, "json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32"),
        ({"replicas": 1.5}, "json: cannot unmarshal number 1.5 into Go struct field StatefulSetSpec.spec.replicas of type int32"),
        ({"replicas": 2**31}, "json: cannot unmarshal number 2147483648 into Go struct field StatefulSetSpec.spec.replicas of type int32"),
        ({"template": []}, "json: cannot unmarshal array into Go struct field StatefulSetSpec.spec.template of type v1.PodTemplateSpec"),
        ({"serviceName": True}, "json: cannot unmarshal bool into Go struct field StatefulSetSpec.spec.serviceName of type string"),
        ({"template": {"spec": {"containers": {}}}}, f"json: cannot unmarshal object into Go struct field PodSpec.{TEMPLATE} of type []v1.Container"),
        ({"template": {"spec": {"containers": [{"args": [1]}]}}}, f"json: cannot unmarshal number into Go struct field Container.{TEMPLATE}.args of type string"),
        ({"template": {"metadata": {"labels": {"a": 1}}}}, "json: cannot unmarshal number into Go struct field ObjectMeta.spec.template.metadata.labels of type string"),
        (
            {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "one"}}}]}}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            {"template": {"metadata": {"creationTimestamp": "today"}}},
            'parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006"',
        ),
    ],
)  # fmt: skip
def test_wrong_type_is_a_bad_request_in_the_words_of_the_go_decoder(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(StatusError) as caught:
        accept({"spec": spec}, STATEFUL_SET)
    assert caught.value.code == 400
    assert str(caught.value) == f'StatefulSet in version "v1" cannot be handled as a StatefulSet: {message}'


def test_bad_base64_names_the_stray_byte() -> None:
    with pytest.raises(StatusError, match=r"as a Secret: illegal base64 data at input byte 4$"):
        accept({"data": {"a": "aGkK-"}}, ("", "v1", "Secret"))


@pytest.mark.parametrize("port", [80, "http"])
def test_int_or_string_takes_both(port: Any) -> None:
    obj = {"spec": {"ports": [{"port": 80, "targetPort": port}]}}
    assert checked(obj, ("", "v1", "Service")).object == obj


BOTH = b'{"spec": {"foo": 1, "foo": 2, "replicas": 1, "replicas": 2, "bar": {"x": 1, "x": 2}}}'
FOUND = ['unknown field "spec.foo"', 'duplicate field "spec.replicas"', 'unknown field "spec.bar"']


def test_unknown_and_duplicate_fields_are_told_in_the_order_of_the_document() -> None:
    """Upstream's decoder doesn't look for duplicates in what it doesn't know."""
    obj, duplicates = decode_json(BOTH)
    with pytest.raises(StatusError) as caught:
        accept(obj, STATEFUL_SET, "Strict", duplicates)
    assert str(caught.value) == (
        'StatefulSet in version "v1" cannot be handled as a StatefulSet: strict decoding error: ' + ", ".join(FOUND)
    )
    assert accept(obj, STATEFUL_SET, "Warn", duplicates)[1] == FOUND


def test_duplicates_of_yaml_come_first_and_line_by_line() -> None:
    obj, duplicates = decode_yaml("spec:\n  foo: 1\n  replicas: 1\n  replicas: 2\n  foo: 2\n")
    lines = ['line 4: key "replicas" already set in map', 'line 5: key "foo" already set in map']
    assert accept(obj, STATEFUL_SET, "Warn", duplicates)[1] == [*lines, 'unknown field "spec.foo"']
    with pytest.raises(StatusError) as caught:
        accept(obj, STATEFUL_SET, "Strict", duplicates)
    text = "strict decoding error: yaml: unmarshal errors:\n  {}\n  {}, {}"
    assert str(caught.value).endswith(text.format(*lines, 'unknown field "spec.foo"'))


def test_duplicates_of_a_patch_come_first_and_its_unknown_fields_in_alphabetical_order() -> None:
    _, duplicates = decode_json(b'{"spec": {"zoo": 1, "zoo": 2, "replicas": 1, "replicas": 2, "foo": 1}}')
    _, warnings = accept_patched({"spec": {"zoo": 2, "replicas": 2, "foo": 1}}, STATEFUL_SET, "Warn", None, duplicates)
    assert warnings == [
        *('duplicate field "spec.zoo"', 'duplicate field "spec.replicas"'),
        *('unknown field "spec.foo"', 'unknown field "spec.zoo"'),
    ]


def test_warn_gives_the_texts_and_the_pruned_object() -> None:
    assert accept({"spec": {"foo": 1}}, STATEFUL_SET, "Warn") == ({"spec": {}}, ['unknown field "spec.foo"'])


def test_ignore_prunes_in_silence() -> None:
    assert accept({"spec": {"foo": 1}}, STATEFUL_SET, "Ignore", [Duplicate("duplicate")]) == ({"spec": {}}, [])


def test_kind_without_a_schema_passes() -> None:
    obj = {"spec": {"anything": 1}}
    assert accept(obj, ("example.com", "v1", "Widget")) == (obj, [])


def test_patched_object_with_an_unknown_field_is_invalid_and_shows_the_patch() -> None:
    with pytest.raises(StatusError) as caught:
        accept_patched({"spec": {"foo": 1}}, STATEFUL_SET, "Strict", {"spec": {"foo": 1}})
    assert caught.value.code == 422
    assert str(caught.value) == (
        ' "" is invalid: patch: Invalid value: "map[spec:map[foo:1]]": strict decoding error: unknown field "spec.foo"'
    )


def test_patched_object_of_a_wrong_type_is_described_by_the_decoder_that_upstream_uses() -> None:
    wrong = {"spec": {"replicas": "two"}}
    with pytest.raises(StatusError, match="cannot convert string to int32"):
        accept_patched(wrong, STATEFUL_SET, "Strict", wrong)
    with pytest.raises(StatusError, match="cannot unmarshal string into Go struct field"):
        accept_patched(wrong, STATEFUL_SET, "Strict")


def test_go_value_prints_like_go() -> None:
    assert go_value({"b": [1, None, True], "a": {"c": "d"}}) == "map[a:map[c:d] b:[1 <nil> true]]"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "spec", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["spec", "metadata", "status", "x"]), json_values))
def test_reading_twice_changes_nothing_more(obj: dict[str, Any]) -> None:
    first = checked(obj)
    if not first.errors:
        second = checked(first.object)
        assert second.object == first.object
        assert second.errors == second.unknown == ()
