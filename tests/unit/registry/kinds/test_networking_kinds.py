"""Ingresses, their classes, network policies: defaults, what is refused, the Table."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.registry.kinds.ingress import INGRESS, INGRESS_CLASS
from kubelite.registry.kinds.networkpolicy import NETWORK_POLICY

BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def rule(host: str = "", **path: Any) -> dict[str, Any]:
    entry = {"path": "/", "pathType": "Prefix", "backend": BACKEND} | path
    return ({"host": host} if host else {}) | {"http": {"paths": [entry]}}


def test_ingress_row(cluster, now) -> None:
    made = cluster.create(
        INGRESS,
        {"spec": {"ingressClassName": "nginx", "rules": [rule(f"{h}.example.com") for h in "abcd"], "tls": [{}]}},
    )
    assert made["status"] == {"loadBalancer": {}}
    hosts = "a.example.com,b.example.com,c.example.com + 1 more..."
    assert INGRESS.row(made, now) == ["x", "nginx", hosts, "", "80, 443", "10s"]


def test_ingress_row_of_a_bare_one(cluster, now) -> None:
    made = cluster.create(INGRESS, {"spec": {"defaultBackend": BACKEND}})
    assert INGRESS.row(made, now) == ["x", "<none>", "*", "", "80", "10s"]
    made["status"] = {"loadBalancer": {"ingress": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}]}}
    assert INGRESS.row(made, now)[3] == "10.0.0.1,10.0..."


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {},
            "spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified",
        ),
        ({"defaultBackend": {}}, 'spec.defaultBackend: Invalid value: "": resource or service backend is required'),
        (
            {"defaultBackend": {"service": {"name": "web"}}},
            "spec.defaultBackend: Required value: port name or number is required",
        ),
        ({"rules": [rule("10.0.0.1")]}, 'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP'),
        ({"rules": [rule("a_b")]}, 'spec.rules[0].host: Invalid value: "a_b": a lowercase RFC 1123 subdomain'),
        ({"rules": [{"http": {}}]}, "spec.rules[0].http.paths: Required value"),
        (
            {"rules": [rule(pathType=None)]},
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        ),
        ({"rules": [rule(pathType="Any")]}, 'spec.rules[0].http.paths[0].pathType: Unsupported value: "Any"'),
        (
            {"rules": [rule(path="x")]},
            'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
        ),
        (
            {"rules": [rule(path="/a//b/..")]},
            "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b/..\": cannot end with '/..'",
        ),
        ({"rules": [rule("*")]}, 'spec.rules[0].host: Invalid value: "*": a wildcard DNS-1123 subdomain must start'),
        (
            {"defaultBackend": {"resource": {"name": "x"}}},
            "spec.defaultBackend.resource.kind: Required value",
        ),
        (
            {"rules": [rule()], "tls": [{"secretName": "A"}]},
            'spec.tls[0].secretName: Invalid value: "A": a lowercase RFC 1123 subdomain',
        ),
    ],
)
def test_ingresses_that_are_refused(cluster, refused, spec: Any, message: str) -> None:
    found = refused(lambda: cluster.create(INGRESS, {"spec": spec}))
    assert any(text.startswith(message) for text in found), found


def test_ingress_wildcard_hosts_and_free_paths(cluster, refused) -> None:
    rules = [rule("*.example.com"), rule(path="", pathType="ImplementationSpecific")]
    assert refused(lambda: cluster.create(INGRESS, {"spec": {"rules": rules}})) == []


def test_ingress_has_one_class(cluster, refused) -> None:
    metadata = {"annotations": {"kubernetes.io/ingress.class": "old"}}
    obj = {"metadata": metadata, "spec": {"ingressClassName": "new", "defaultBackend": BACKEND}}
    assert refused(lambda: cluster.create(INGRESS, obj)) == [
        'annotations.kubernetes.io/ingress.class: Invalid value: "old": '
        "must match `ingressClassName` when both are specified"
    ]
    obj["spec"]["ingressClassName"] = "old"
    assert refused(lambda: cluster.create(INGRESS, obj)) == []


def test_ingress_gets_the_newest_default_class(cluster) -> None:
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    for name, second, marks in (("b", 1, default), ("a", 1, default), ("old", 0, default), ("other", 2, {})):
        metadata = {"name": name, "creationTimestamp": f"2026-11-23T12:00:0{second}Z", "annotations": marks}
        cluster.objects.setdefault("ingressclasses", []).append({"metadata": metadata})
    made = cluster.create(INGRESS, {"spec": {"defaultBackend": BACKEND}})
    assert made["spec"]["ingressClassName"] == "a"

    def without_class(ingress: dict[str, Any]) -> None:
        del ingress["spec"]["ingressClassName"]

    assert "ingressClassName" not in cluster.update(INGRESS, made, without_class)["spec"]
    annotated = {"metadata": {"annotations": {"kubernetes.io/ingress.class": "c"}}, "spec": {"defaultBackend": BACKEND}}
    assert "ingressClassName" not in cluster.create(INGRESS, annotated)["spec"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "P"}, "spec.parameters.name: Required value"),
        ({"name": "p"}, "spec.parameters.kind: Required value"),
        ({"scope": "Any"}, 'spec.parameters.scope: Unsupported value: "Any": supported values: "Cluster", "Namespace"'),
        (
            {"scope": "Namespace"},
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
        ),
        ({"namespace": "n"}, "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"),
    ],
)
def test_ingress_class_parameters_that_are_refused(cluster, refused, parameters: Any, message: str) -> None:
    whole = parameters if {"kind", "name"} & parameters.keys() else {"kind": "P", "name": "p", **parameters}
    spec = {"controller": "example.com/c", "parameters": whole}
    assert refused(lambda: cluster.create(INGRESS_CLASS, {"spec": spec})) == [message]


def test_ingress_class_row_and_parameters(cluster, now) -> None:
    spec = {"controller": "example.com/c", "parameters": {"apiGroup": "k8s.example.com", "kind": "P", "name": "p"}}
    made = cluster.create(INGRESS_CLASS, {"spec": spec})
    assert made["spec"]["parameters"]["scope"] == "Cluster"
    assert INGRESS_CLASS.row(made, now) == ["x", "example.com/c", "P.k8s.example.com/p", "10s"]


def test_ingress_class_controller(cluster, refused) -> None:
    assert refused(lambda: cluster.create(INGRESS_CLASS, {"spec": {}})) == ["spec.controller: Required value"]
    assert (
        "must be a domain-prefixed path"
        in refused(lambda: cluster.create(INGRESS_CLASS, {"spec": {"controller": "c"}}))[0]
    )
    made = cluster.create(INGRESS_CLASS, {"spec": {"controller": "example.com/c"}})
    changed = refused(lambda: cluster.update(INGRESS_CLASS, made, lambda new: new["spec"].update(controller="b.c/d")))
    assert changed == ['spec.controller: Invalid value: "b.c/d": field is immutable']


def test_network_policy_defaults_and_row(cluster, now) -> None:
    made = cluster.create(
        NETWORK_POLICY,
        {"spec": {"podSelector": {"matchLabels": {"a": "b"}}, "egress": [{"ports": [{"port": 53}]}]}},
    )
    assert made["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert made["spec"]["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]
    assert NETWORK_POLICY.row(made, now) == ["x", "a=b", "10s"]
    everything = cluster.create(NETWORK_POLICY, {"spec": {}})
    assert everything["spec"]["policyTypes"] == ["Ingress"]
    assert NETWORK_POLICY.row(everything, now)[1] == "<none>"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"policyTypes": ["Both"]}, 'spec.policyTypes[0]: Unsupported value: "Both"'),
        ({"ingress": [{"from": [{}]}]}, "spec.ingress[0].from[0]: Required value: must specify a peer"),
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]},
            "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer",
        ),
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "x"}}]}]},
            'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "x": must be a valid CIDR value',
        ),
        (
            {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8"]}}]}]},
            'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/8": must be a strict subset of',
        ),
        ({"ingress": [{"ports": [{"protocol": "ICMP"}]}]}, "spec.ingress[0].ports[0].protocol: Unsupported value"),
        ({"ingress": [{"ports": [{"port": 70000}]}]}, "spec.ingress[0].ports[0].port: Invalid value: 70000"),
        ({"ingress": [{"ports": [{"port": 9, "endPort": 8}]}]}, "spec.ingress[0].ports[0].endPort: Invalid value"),
    ],
)
def test_network_policies_that_are_refused(cluster, refused, spec: Any, message: str) -> None:
    found = refused(lambda: cluster.create(NETWORK_POLICY, {"spec": spec}))
    assert any(text.startswith(message) for text in found), found
