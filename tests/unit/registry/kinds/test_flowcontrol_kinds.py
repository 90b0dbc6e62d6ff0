"""FlowSchemas and PriorityLevelConfigurations: defaults, rules, columns."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.flowcontrol_objects import LEVELS, SCHEMAS
from kubelite.registry.kinds.flowschema import FLOW_SCHEMA
from kubelite.registry.kinds.prioritylevelconfiguration import PRIORITY_LEVEL_CONFIGURATION
from kubelite.registry.registry import Registry

REJECT: Obj = {"type": "Reject"}
RULE: Obj = {"verbs": ["*"], "nonResourceURLs": ["*"]}
RESOURCES: Obj = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"]}
USER: Obj = {"kind": "User", "user": {"name": "noxu"}}


def level(**spec: Any) -> Obj:
    return {"metadata": {"name": "mine"}, "spec": spec}


def limited(**given: Any) -> Obj:
    return level(type="Limited", limited={"limitResponse": REJECT} | given)


def queuing(**given: int) -> Obj:
    return limited(limitResponse={"type": "Queue", "queuing": given})


def schema(*policies: Obj, **spec: Any) -> Obj:
    rules = list(policies or [policy()])
    return {
        "metadata": {"name": "mine"},
        "spec": {"priorityLevelConfiguration": {"name": "global-default"}, "rules": rules} | spec,
    }


def policy(*subjects: Obj, **rules: Any) -> Obj:
    return {"subjects": list(subjects or [USER]), **(rules or {"nonResourceRules": [RULE]})}


def refused(registry: Registry, plural: str, obj: Obj) -> list[str]:
    with pytest.raises(StatusError) as caught:
        registry.create(plural, obj)
    assert caught.value.reason == "Invalid"
    return [f"{one['field']}: {one['message']}" for one in caught.value.to_status()["details"]["causes"]]


def test_what_is_left_out_is_filled_in(registry: Registry) -> None:
    made = registry.create("prioritylevelconfigurations", queuing(queues=4, handSize=2))
    assert made["spec"]["limited"] == {
        "nominalConcurrencyShares": 30,
        "lendablePercent": 0,
        "limitResponse": {"type": "Queue", "queuing": {"queues": 4, "handSize": 2, "queueLengthLimit": 50}},
    }
    assert registry.create("flowschemas", schema())["spec"]["matchingPrecedence"] == 1000


def test_no_shares_at_all_are_a_wish(registry: Registry) -> None:
    made = registry.create("prioritylevelconfigurations", limited(nominalConcurrencyShares=0))
    assert made["spec"]["limited"]["nominalConcurrencyShares"] == 0


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (level(), "spec.type: Unsupported value"),
        (level(type="Exempt"), "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name"),
        (level(type="Limited"), "spec.limited: Required value: must not be empty when type is Limited"),
        (limited(limitResponse={}), 'spec.limited.limitResponse.type: Unsupported value: ""'),
        (limited(limitResponse={"type": "Queue"}), "spec.limited.limitResponse.queuing: Required value: must not be"),
        (limited(limitResponse={"type": "Reject", "queuing": {}}), "spec.limited.limitResponse.queuing: Forbidden"),
        (limited(nominalConcurrencyShares=-1), "nominalConcurrencyShares: Invalid value: -1: must be a non-negative"),
        (limited(lendablePercent=101), "lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive"),
        (limited(borrowingLimitPercent=-1), "borrowingLimitPercent: Invalid value: -1: if specified, must be a non-"),
        (queuing(queues=2, handSize=3), "handSize: Invalid value: 3: should not be greater than queues (2)"),
        (queuing(queues=512, handSize=8), "required entropy bits of deckSize 512 and handSize 8 should not be greater"),
        (queuing(queueLengthLimit=-1), "queueLengthLimit: Invalid value: -1: must be positive"),
        (queuing(queues=10_000_001, handSize=1), "must not be greater than 10000000"),
    ],
)
def test_levels_are_checked(obj: Obj, text: str, registry: Registry) -> None:
    assert any(text in one for one in refused(registry, "prioritylevelconfigurations", obj))


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (schema(matchingPrecedence=-1), "spec.matchingPrecedence: Invalid value: -1: must be a positive value"),
        (schema(matchingPrecedence=10001), "must not be greater than 10000"),
        (schema(matchingPrecedence=1), "only the schema named 'exempt' may have matchingPrecedence 1"),
        (schema(distinguisherMethod={"type": "ByMood"}), "spec.distinguisherMethod.type: Unsupported value"),
        (schema(priorityLevelConfiguration={"name": ""}), "Required value: must reference a priority level"),
        (schema({"nonResourceRules": [RULE]}), "spec.rules[0].subjects: Required value: subjects must contain at"),
        (schema({"subjects": [USER]}), "spec.rules[0]: Required value: at least one of resourceRules and nonResource"),
        (schema(policy({"kind": "Robot"})), 'spec.rules[0].subjects[0].kind: Unsupported value: "Robot"'),
        (schema(policy({"kind": "User"})), "subjects[0].user: Required value: user is required when subject kind is"),
        (
            schema(policy(USER | {"group": {"name": "a"}})),
            "subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
        ),
        (
            schema(policy({"kind": "ServiceAccount", "serviceAccount": {"name": "a"}})),
            "serviceAccount.namespace: Required value: must specify namespace for service account",
        ),
        (schema(policy(nonResourceRules=[RULE | {"verbs": ["*", "get"]}])), "must not specify other verbs"),
        (schema(policy(nonResourceRules=[RULE | {"verbs": ["sing"]}])), "verbs: Unsupported value"),
        (schema(policy(nonResourceRules=[RULE | {"nonResourceURLs": ["a"]}])), "must start with slash"),
        (schema(policy(nonResourceRules=[RULE | {"nonResourceURLs": ["/a*"]}])), "wildcard can only do suffix"),
        (schema(policy(resourceRules=[RESOURCES | {"apiGroups": []}])), "must supply at least one api group"),
        (schema(policy(resourceRules=[RESOURCES | {"resources": ["*", "a"]}])), "must not specify other resources"),
        (schema(policy(resourceRules=[RESOURCES | {"namespaces": []}])), "must supply at least one namespace"),
        (schema(policy(resourceRules=[RESOURCES | {"namespaces": ["A"]}])), "each member of this list must be '*' or"),
    ],
)
def test_schemas_are_checked(obj: Obj, text: str, registry: Registry) -> None:
    assert any(text in one for one in refused(registry, "flowschemas", obj))


def test_mandatory_objects_stay_as_they_are(registry: Registry) -> None:
    for name, spec in LEVELS.items():
        registry.create("prioritylevelconfigurations", {"metadata": {"name": name}, "spec": spec})
    for name, spec in SCHEMAS.items():
        registry.create("flowschemas", {"metadata": {"name": name}, "spec": spec})
    for plural, name, patch in (
        ("flowschemas", "catch-all", {"matchingPrecedence": 9}),
        ("prioritylevelconfigurations", "catch-all", {"limited": {"nominalConcurrencyShares": 9}}),
        ("prioritylevelconfigurations", "exempt", {"limited": {"limitResponse": REJECT}}),
    ):
        with pytest.raises(StatusError, match="must equal the fixed value"):
            registry.patch(plural, None, name, {"spec": patch})
    exempt = {"nominalConcurrencyShares": 7, "lendablePercent": 9}
    made = registry.patch("prioritylevelconfigurations", None, "exempt", {"spec": {"exempt": exempt}})
    assert made["spec"]["exempt"] == exempt
    registry.patch("flowschemas", None, "probes", {"spec": {"matchingPrecedence": 9}})


def test_status_is_apart(registry: Registry) -> None:
    made = registry.create("flowschemas", schema() | {"status": {"conditions": [{"type": "A", "status": "True"}]}})
    assert made["status"] == {}
    assert made["metadata"]["generation"] == 1
    twice = [{"type": "A", "status": "True"}, {"type": "A", "status": "False"}]
    with pytest.raises(StatusError, match=r"status.conditions\[1\].type: Duplicate value"):
        registry.update("flowschemas", {**meta.copy(made), "status": {"conditions": twice}}, "status")
    told = registry.update("flowschemas", {**meta.copy(made), "status": {"conditions": twice[:1]}}, "status")
    assert told["status"] == {"conditions": twice[:1]}
    assert told["metadata"]["generation"] == 1


def test_columns_tell_the_essentials(registry: Registry) -> None:
    made = registry.create("prioritylevelconfigurations", queuing())
    assert PRIORITY_LEVEL_CONFIGURATION.row is not None
    assert FLOW_SCHEMA.row is not None
    assert PRIORITY_LEVEL_CONFIGURATION.row(made, registry.now()) == ["mine", "Limited", 30, 64, 8, 50, "0s"]
    assert FLOW_SCHEMA.row(registry.create("flowschemas", schema()), registry.now()) == [
        "mine", "global-default", 1000, "<none>", "0s", "?",
    ]  # fmt: skip
