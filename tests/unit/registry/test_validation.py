import pytest

from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import Kind

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
PODS = Kind("", "v1", "Pod", "pods", "pod", namespaced=True)
NODES = Kind("", "v1", "Node", "nodes", "node", namespaced=False)


@pytest.mark.parametrize(
    ("rule", "value", "messages"),
    [
        (validation.dns_label, "web-0", []),
        (validation.dns_label, "Web", [LABEL]),
        (validation.dns_label, "a.b", ["must not contain dots"]),
        (validation.dns_label, "a" * 64, ["must be no more than 63 characters"]),
        (validation.dns_subdomain, "web.example-1.com", []),
        (validation.dns_subdomain, "web_0", [SUBDOMAIN]),
        (validation.dns_subdomain, "web\n", [SUBDOMAIN]),
        (validation.dns_subdomain, "", [SUBDOMAIN]),
        (validation.dns_1035_label, "svc", []),
        (validation.dns_1035_label, "1svc", [LABEL_1035]),
        (validation.path_segment_name, "system:node", []),
        (validation.path_segment_name, "..", ["may not be '..'"]),
        (validation.path_segment_name, "a/b%", ["may not contain '/'", "may not contain '%'"]),
        (validation.qualified_name, "app.kubernetes.io/name", []),
        (validation.qualified_name, "app_1.x", []),
        (validation.qualified_name, "-x", [NAME_PART]),
        (validation.qualified_name, "", ["name part must be non-empty", NAME_PART]),
        (validation.qualified_name, "/x", ["prefix part must be non-empty"]),
        (validation.qualified_name, "A_/x", [f"prefix part {SUBDOMAIN}"]),
        (validation.label_value, "", []),
        (validation.label_value, "v1.2_x", []),
        (validation.label_value, "a b", [VALUE]),
        (validation.config_key, "app.conf", []),
        (validation.config_key, "..x", ["must not start with '..'"]),
        (validation.port_name, "http-1", []),
        (validation.port_name, "80", ["must contain at least one letter (a-z)"]),
        (validation.port_name, "a--b", ["must not contain consecutive hyphens"]),
        (validation.port_name, "abcdefghijklmnop", ["must be no more than 15 characters"]),
        (validation.port_name, "web-", ["must not begin or end with a hyphen"]),
        (validation.ip_address, "10.0.0.1", []),
        (validation.ip_address, "10.0.0", ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]),
    ],
)
def test_text_rules_give_upstreams_messages(rule, value: str, messages: list[str]) -> None:
    assert rule(value) == messages


def test_qualified_name_with_two_slashes_says_what_it_should_be() -> None:
    (message,) = validation.qualified_name("a/b/c")
    assert message.startswith("a qualified name must consist of")
    assert message.endswith("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")


@pytest.mark.parametrize(("port", "fine"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_port_number_is_within_range(port: int, fine: bool) -> None:
    assert validation.port_number(port) == ([] if fine else ["must be between 1 and 65535, inclusive"])


def test_labels_name_the_path_and_the_wrong_part(texts) -> None:
    assert texts(validation.labels("metadata.labels", {"a b": "x", "app": "a b"})) == [
        f'metadata.labels: Invalid value: "a b": {NAME_PART}',
        f'metadata.labels: Invalid value: "a b": {VALUE}',
    ]


def test_annotations_have_a_limit_in_size(texts) -> None:
    assert validation.annotations("metadata.annotations", {"Upper/Case": "any thing"}) == []
    found = validation.annotations("metadata.annotations", {"a": "x" * (256 * 1024)})
    assert texts(found) == ["metadata.annotations: Too long: may not be more than 262144 bytes"]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (
            {"key": "a", "operator": "In"},
            "values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        ),
        (
            {"key": "a", "operator": "Exists", "values": ["x"]},
            "values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        ({"key": "a", "operator": "Is"}, 'operator: Invalid value: "Is": not a valid selector operator'),
        ({"key": "", "operator": "Exists"}, 'key: Invalid value: "": name part must be non-empty'),
    ],
)
def test_label_selector_checks_operators(term: Obj, message: str, texts) -> None:
    found = validation.label_selector("spec.selector", {"matchExpressions": [term]})
    assert texts(found)[0] == f"spec.selector.matchExpressions[0].{message}"


def test_label_selector_may_be_missing_or_empty() -> None:
    assert validation.label_selector("spec.selector", None) == validation.label_selector("spec.selector", {}) == []


def test_quantity_is_a_number_and_not_negative(texts) -> None:
    assert validation.quantity("q", "100Mi") == validation.quantity("q", 2) == []
    assert texts(validation.quantity("q", "-1")) == ['q: Invalid value: "-1": must be greater than or equal to 0']
    assert "quantities must match the regular expression" in texts(validation.quantity("q", "1 Gi"))[0]


@pytest.mark.parametrize(
    ("kind", "metadata", "messages"),
    [
        (PODS, {"name": "web-0", "namespace": "default"}, []),
        (NODES, {"name": "vm"}, []),
        (PODS, {"namespace": "default"}, ["metadata.name: Required value: name or generateName is required"]),
        (PODS, {"name": "web"}, ["metadata.namespace: Required value"]),
        (NODES, {"name": "vm", "namespace": "x"}, ["metadata.namespace: Forbidden: not allowed on this type"]),
        (PODS, {"name": "Web", "namespace": "default"}, [f'metadata.name: Invalid value: "Web": {SUBDOMAIN}']),
        (PODS, {"name": "web-abc12", "generateName": "web-", "namespace": "default"}, []),
        (
            PODS,
            {"name": "web", "namespace": "default", "finalizers": ["mine"]},
            [
                'metadata.finalizers[0]: Invalid value: "mine": '
                "name is neither a standard finalizer name nor is it fully qualified"
            ],
        ),
        (
            PODS,
            {
                "name": "web",
                "namespace": "default",
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "uid": "u"}],
            },
            ["metadata.ownerReferences[0].name: Required value: must not be empty"],
        ),
    ],
)
def test_metadata_of_a_new_object(kind: Kind, metadata: Obj, messages: list[str], texts) -> None:
    assert texts(validation.metadata({"metadata": metadata}, kind, None)) == messages


def test_metadata_allows_one_managing_owner(texts) -> None:
    owners = [{"apiVersion": "v1", "kind": "A", "name": name, "uid": "u", "controller": True} for name in "xy"]
    obj = {"metadata": {"name": "web", "namespace": "default", "ownerReferences": owners}}
    (error,) = texts(validation.metadata(obj, PODS, None))
    assert error.endswith(
        'Only one reference can have Controller set to true. Found "true" in references for A/x and A/y'
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uid": "other"}, 'metadata.uid: Invalid value: "other": field is immutable'),
        ({"generation": 1}, "metadata.generation: Invalid value: 1: must not be decremented"),
        (
            {"finalizers": ["a.io/x"]},
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
            'found new finalizers []string{"a.io/x"}',
        ),
    ],
)
def test_metadata_of_an_existing_object_keeps_its_identity(change: Obj, message: str, texts) -> None:
    old = {
        "name": "web",
        "namespace": "default",
        "uid": "u",
        "generation": 2,
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 0,
    }
    found = validation.metadata({"metadata": old | change}, PODS, {"metadata": old})
    assert texts(found) == [message]
