"""The FlowSchemas and PriorityLevelConfigurations that every API server makes: the mandatory ones, whose spec is fixed,
and the suggested ones. After apiserver's `apis/flowcontrol/bootstrap`; read by the kinds' rules and by the controller
that keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubelite.objects.meta import Obj

GROUP = "flowcontrol.apiserver.k8s.io"
AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"
EXEMPT, CATCH_ALL = "exempt", "catch-all"

_EVERYBODY = ("system:unauthenticated", "system:authenticated")
_ANY_RESOURCE: Obj = {
    "verbs": ["*"],
    "apiGroups": ["*"],
    "resources": ["*"],
    "clusterScope": True,
    "namespaces": ["*"],
}
_ANYTHING: Obj = {
    "resourceRules": [_ANY_RESOURCE],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}
_PROBES: Obj = {"nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]}


def _limited(shares: int, lendable: int, *queuing: int) -> Obj:
    """`queuing`: queues, hand size, length of a queue; without it, what is too much is refused."""
    response: Obj = {"type": "Reject"}
    if queuing:
        response = {
            "type": "Queue",
            "queuing": dict(zip(("queues", "handSize", "queueLengthLimit"), queuing, strict=True)),
        }
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable}
    return {"type": "Limited", "limited": limited}


def _groups(*names: str) -> list[Obj]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[Obj]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _accounts(*names: str) -> list[Obj]:
    """Service accounts of the system."""
    return [{"kind": "ServiceAccount", "serviceAccount": {"name": name, "namespace": "kube-system"}} for name in names]


def _rule(verbs: Sequence[str], group: str, resources: Sequence[str], *, cluster_scope: bool = False) -> Obj:
    rule: Obj = {"verbs": [*verbs], "apiGroups": [group], "resources": [*resources], "namespaces": ["*"]}
    return rule | ({"clusterScope": True} if cluster_scope else {})


def _schema(level: str, precedence: int, by: str, subjects: Iterable[Obj], rules: Obj) -> Obj:
    spec: Obj = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
    if by:
        spec["distinguisherMethod"] = {"type": by}
    return {**spec, "rules": [{"subjects": [*subjects], **rules}]}


_ELECTION = ("get", "create", "update")
_LEASES: Obj = {"resourceRules": [_rule(_ELECTION, "coordination.k8s.io", ["leases"])]}
_ENDPOINTS: Obj = {"resourceRules": [_rule(_ELECTION, "", ["endpoints"])]}
_OF_NODES: Obj = {
    "resourceRules": [
        _rule(["*"], "", ["nodes", "nodes/status"], cluster_scope=True),
        _rule(["*"], "coordination.k8s.io", ["leases"]),
    ]
}
_MANAGER, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"

MANDATORY_LEVELS: Mapping[str, Obj] = {
    EXEMPT: {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
    CATCH_ALL: _limited(5, 0),
}
LEVELS: Mapping[str, Obj] = {
    **MANDATORY_LEVELS,
    "system": _limited(30, 33, 64, 6, 50),
    "node-high": _limited(40, 25, 64, 6, 50),
    "leader-election": _limited(10, 0, 16, 4, 50),
    "workload-high": _limited(40, 50, 128, 6, 50),
    "workload-low": _limited(100, 90, 128, 6, 50),
    "global-default": _limited(20, 50, 128, 6, 50),
}
MANDATORY_SCHEMAS: Mapping[str, Obj] = {
    EXEMPT: _schema(EXEMPT, 1, "", _groups("system:masters"), _ANYTHING),
    CATCH_ALL: _schema(CATCH_ALL, 10000, "ByUser", _groups(*_EVERYBODY), _ANYTHING),
}
SCHEMAS: Mapping[str, Obj] = {
    **MANDATORY_SCHEMAS,
    "probes": _schema(EXEMPT, 2, "", _groups(*_EVERYBODY), _PROBES),
    "system-leader-election": _schema(
        "leader-election", 100, "ByUser", [*_users(_MANAGER, _SCHEDULER), *_accounts("*")], _LEASES
    ),
    "endpoint-controller": _schema(
        "workload-high",
        150,
        "ByUser",
        [*_users(_MANAGER), *_accounts("endpoint-controller", "endpointslicemirroring-controller")],
        _ENDPOINTS,
    ),
    "workload-leader-election": _schema("leader-election", 200, "ByUser", _accounts("*"), _LEASES),
    "system-node-high": _schema("node-high", 400, "ByUser", _groups("system:nodes"), _OF_NODES),
    "system-nodes": _schema("system", 500, "ByUser", _groups("system:nodes"), _ANYTHING),
    "kube-controller-manager": _schema("workload-high", 800, "ByNamespace", _users(_MANAGER), _ANYTHING),
    "kube-scheduler": _schema("workload-high", 800, "ByNamespace", _users(_SCHEDULER), _ANYTHING),
    "kube-system-service-accounts": _schema("workload-high", 900, "ByNamespace", _accounts("*"), _ANYTHING),
    "service-accounts": _schema("workload-low", 9000, "ByUser", _groups("system:serviceaccounts"), _ANYTHING),
    "global-default": _schema("global-default", 9900, "ByUser", _groups(*_EVERYBODY), _ANYTHING),
}
