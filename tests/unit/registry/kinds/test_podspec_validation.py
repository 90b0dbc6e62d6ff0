"""What is wrong with a pod's own fields and with templates: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_defaults import default_template
from kubelite.registry.kinds.podspec_validation import template_spec
from tests.unit.registry.kinds.podspecs import IP, LABEL, errors_of, pod

FIELDS = [
    (
        pod(restartPolicy="always"),
        ['spec.restartPolicy: Unsupported value: "always": supported values: "Always", "OnFailure", "Never"'],
    ),
    (
        pod(dnsPolicy="Cluster"),
        [
            'spec.dnsPolicy: Unsupported value: "Cluster": supported values: '
            '"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'
        ],
    ),
    (
        pod(dnsPolicy="None"),
        ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    (
        pod(dnsPolicy="None", dnsConfig={}),
        [
            "spec.dnsConfig.nameservers: Required value: "
            "must provide at least one DNS nameserver when `dnsPolicy` is None"
        ],
    ),
    (
        pod(dnsConfig={"nameservers": ["one"]}),
        [f'spec.dnsConfig.nameservers[0]: Invalid value: "one": {IP}'],
    ),
    (
        pod(dnsConfig={"nameservers": ["1.1.1.1"] * 4, "options": [{"value": "x"}]}),
        [
            'spec.dnsConfig.nameservers: Invalid value: []string{"1.1.1.1", "1.1.1.1", "1.1.1.1", "1.1.1.1"}: '
            "must not have more than 3 nameservers",
            "spec.dnsConfig.options[0]: Required value: must not be empty",
        ],
    ),
    (pod(dnsConfig={"searches": ["a."] * 32}), []),
    (pod(dnsConfig={"searches": [".", "_sip._tcp.abc_d.example.com"]}), []),
    (pod(hostname="A"), [f'spec.hostname: Invalid value: "A": {LABEL}']),
    (pod(subdomain="a.b"), ['spec.subdomain: Invalid value: "a.b": must not contain dots']),
    (pod(hostAliases=[{"ip": "x"}]), [f'spec.hostAliases[0].ip: Invalid value: "x": {IP}']),
    (
        pod(activeDeadlineSeconds=0),
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    (pod(terminationGracePeriodSeconds=0), []),
]


def test_good_pod_has_no_errors() -> None:
    assert errors_of(pod()) == []


@pytest.mark.parametrize(("given", "expected"), FIELDS)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected


def test_template_may_hold_blank_images_but_no_ephemeral_containers() -> None:
    template: Obj = {
        "metadata": {"labels": {"a b": "c"}},
        "spec": {
            "containers": [{"name": "c", "image": " "}],
            "ephemeralContainers": [{"name": "d", "image": "i"}],
        },
    }
    default_template(template)
    errors = [str(error) for error in template_spec("spec.template", template)]
    assert errors[0].startswith('spec.template.labels: Invalid value: "a b": name part must consist of')
    assert errors[1:] == [
        "spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"
    ]


@pytest.mark.parametrize(
    ("searches", "told"),
    [
        (["a"] * 33, "must not have more than 32 search paths"),
        (
            ["a" * 60 + "." + "b" * 60] * 17,
            "must not have more than 2048 characters (including spaces) in the search list",
        ),
    ],
)
def test_search_list_has_its_limits(searches: list[str], told: str) -> None:
    (error,) = errors_of(pod(dnsConfig={"searches": searches}))
    assert error.startswith('spec.dnsConfig.searches: Invalid value: []string{"a')
    assert error.endswith(told)


def test_search_path_ends_as_a_name_does() -> None:
    (error,) = errors_of(pod(dnsConfig={"searches": ["abc_"]}))
    assert error.startswith('spec.dnsConfig.searches[0]: Invalid value: "abc_": a lowercase RFC 1123 subdomain must')
    assert "'-', '_' or '.'" in error
