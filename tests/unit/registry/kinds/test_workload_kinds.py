"""The declarations of Deployment, ReplicaSet, DaemonSet and ControllerRevision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.kinds.controllerrevision import CONTROLLER_REVISION
from kubelite.registry.kinds.daemonset import DAEMON_SET, TEMPLATE_GENERATION
from kubelite.registry.kinds.deployment import DEPLOYMENT
from kubelite.registry.kinds.replicaset import REPLICA_SET
from kubelite.registry.kinds.workload import selector_cell

LABELS = {"app": "web"}
NO_MATCH = 'spec.template.metadata.labels: Invalid value: map[string]string{"app":"web"}: `selector` does not match template `labels`'
NEGATIVE = "must be greater than or equal to 0"
PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)
EACH = pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET, DAEMON_SET], ids=lambda kind: kind.kind)


def workload(kind: Kind, **spec: Any) -> Obj:
    base = {
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "httpd", "image": "httpd:2.4"}, {"name": "b", "image": "i:1"}]},
        },
    }
    made: Obj = meta.copy(
        {"metadata": {"name": "web", "creationTimestamp": "2026-11-23T12:00:00Z"}, "spec": base | spec}
    )
    kind.default(made)
    return made


def errors_of(kind: Kind, new: Obj, old: Obj | None = None) -> list[str]:
    return [str(error) for error in kind.validate(new, old)]


def rest(made: Obj) -> Obj:
    return {key: value for key, value in made["spec"].items() if key not in ("selector", "template")}


def text_value(text: str) -> str:
    return f'intstr.IntOrString{{Type:1, IntVal:0, StrVal:"{text}"}}'


@pytest.mark.parametrize(
    ("kind", "defaults"),
    [
        (
            DEPLOYMENT,
            {
                "replicas": 1,
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
                },
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
            },
        ),
        (REPLICA_SET, {"replicas": 1}),
        (
            DAEMON_SET,
            {
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
                "revisionHistoryLimit": 10,
            },
        ),
    ],
)
def test_defaults_are_filled_in_once(kind: Kind, defaults: Obj) -> None:
    made = workload(kind)
    assert rest(made) == defaults
    assert made["spec"]["template"]["metadata"]["creationTimestamp"] is None
    once = meta.copy(made)
    kind.default(made)
    assert made == once


def test_given_values_stay() -> None:
    spec = workload(DEPLOYMENT, replicas=0, strategy={"rollingUpdate": {"maxSurge": 0}})["spec"]
    assert spec["replicas"] == 0
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "25%"}
    assert workload(DEPLOYMENT, strategy={"type": "Recreate"})["spec"]["strategy"] == {"type": "Recreate"}


@EACH
def test_good_workload_has_no_errors(kind: Kind) -> None:
    assert errors_of(kind, workload(kind)) == []


@EACH
def test_selector_must_match_the_template(kind: Kind) -> None:
    made = workload(kind, selector={"matchLabels": {"app": "other"}})
    assert errors_of(kind, made) == [NO_MATCH]


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET])
def test_selector_is_required(kind: Kind) -> None:
    made = workload(kind, selector=None)
    assert errors_of(kind, made) == ["spec.selector: Required value", NO_MATCH]


@EACH
def test_selector_is_immutable(kind: Kind) -> None:
    old = workload(kind)
    new = workload(kind, selector={"matchLabels": LABELS | {"b": "c"}})
    new["spec"]["template"]["metadata"]["labels"] = LABELS | {"b": "c"}
    assert errors_of(kind, new, old) == [
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"web", "b":"c"}, '
        "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
    ]


@EACH
def test_template_is_looked_at(kind: Kind) -> None:
    made = workload(kind)
    made["spec"]["template"]["spec"]["containers"][0]["image"] = ""
    made["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    assert errors_of(kind, made) == [
        "spec.template.spec.containers[0].image: Required value",
        'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
    ]


def rolling(**fields: Any) -> Obj:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": fields}}


def daemon_rolling(**fields: Any) -> Obj:
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": fields}}


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        (DEPLOYMENT, {"replicas": -1}, [f"replicas: Invalid value: -1: {NEGATIVE}"]),
        (REPLICA_SET, {"minReadySeconds": -1}, [f"minReadySeconds: Invalid value: -1: {NEGATIVE}"]),
        (DAEMON_SET, {"revisionHistoryLimit": -1}, [f"revisionHistoryLimit: Invalid value: -1: {NEGATIVE}"]),
        (
            DEPLOYMENT,
            {"minReadySeconds": 600},
            ["progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        ),
        (
            DEPLOYMENT,
            {"strategy": {"type": "Rolling"}},
            [
                'strategy: Unsupported value: apps.DeploymentStrategy{Type:"Rolling", RollingUpdate:'
                '(*apps.RollingUpdateDeployment)(nil)}: supported values: "Recreate", "RollingUpdate"'
            ],
        ),
        (
            DEPLOYMENT,
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            [
                "strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
            ],
        ),
        (
            DEPLOYMENT,
            rolling(maxSurge=0, maxUnavailable="0%"),
            [
                f"strategy.rollingUpdate.maxUnavailable: Invalid value: {text_value('0%')}: may not be 0 when `maxSurge` is 0"
            ],
        ),
        (
            DEPLOYMENT,
            rolling(maxUnavailable="101%"),
            [
                f"strategy.rollingUpdate.maxUnavailable: Invalid value: {text_value('101%')}: must not be greater than 100%"
            ],
        ),
        (
            DEPLOYMENT,
            rolling(maxSurge="many"),
            [f"strategy.rollingUpdate.maxSurge: Invalid value: {text_value('many')}: " + PERCENT],
        ),
        (DEPLOYMENT, rolling(maxSurge="300%"), []),
        (
            DAEMON_SET,
            daemon_rolling(maxUnavailable=0),
            ["updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"],
        ),
        (
            DAEMON_SET,
            daemon_rolling(maxSurge=1),
            [
                'updateStrategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:0, IntVal:1, StrVal:""}: '
                "may not be set when maxUnavailable is non-zero"
            ],
        ),
        (
            DAEMON_SET,
            {"updateStrategy": {"type": "Never"}},
            [
                'updateStrategy: Unsupported value: apps.DaemonSetUpdateStrategy{Type:"Never", RollingUpdate:'
                '(*apps.RollingUpdateDaemonSet)(nil)}: supported values: "RollingUpdate", "OnDelete"'
            ],
        ),
    ],
)
def test_wrong_workload_is_refused(kind: Kind, spec: Obj, expected: list[str]) -> None:
    assert errors_of(kind, workload(kind, **spec)) == [f"spec.{text}" for text in expected]


def test_change_of_annotations_is_a_new_generation_of_a_deployment() -> None:
    old = workload(DEPLOYMENT)
    old["metadata"]["generation"] = 4
    same, changed = meta.copy(old), meta.copy(old)
    changed["metadata"]["annotations"] = {"a": "b"}
    DEPLOYMENT.prepare(same, old)
    DEPLOYMENT.prepare(changed, old)
    assert (same["metadata"]["generation"], changed["metadata"]["generation"]) == (4, 5)


def test_daemon_set_counts_the_changes_of_its_template() -> None:
    made, begun = workload(DAEMON_SET), workload(DAEMON_SET)
    begun["metadata"]["annotations"] = {TEMPLATE_GENERATION: "999"}
    for new, generation in ((made, "1"), (begun, "999")):
        DAEMON_SET.prepare(new, None)
        assert new["metadata"]["annotations"] == {TEMPLATE_GENERATION: generation}
    same, changed = meta.copy(made), meta.copy(made)
    del changed["metadata"]["annotations"]
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "httpd:2.5"
    for new, generation in ((same, "1"), (changed, "2")):
        DAEMON_SET.prepare(new, made)
        assert new["metadata"]["annotations"] == {TEMPLATE_GENERATION: generation}


@pytest.mark.parametrize(
    ("kind", "status", "row"),
    [
        (
            DEPLOYMENT,
            {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1},
            ["web", "2/1", 3, 1, "10s", "httpd,b", "httpd:2.4,i:1", "app=web"],
        ),
        (DEPLOYMENT, {}, ["web", "0/1", 0, 0, "10s", "httpd,b", "httpd:2.4,i:1", "app=web"]),
        (
            REPLICA_SET,
            {"replicas": 2, "readyReplicas": 1},
            ["web", 1, 2, 1, "10s", "httpd,b", "httpd:2.4,i:1", "app=web"],
        ),
        (
            DAEMON_SET,
            {
                "desiredNumberScheduled": 5,
                "currentNumberScheduled": 4,
                "numberReady": 3,
                "updatedNumberScheduled": 2,
                "numberAvailable": 1,
            },
            ["web", 5, 4, 3, 2, 1, "<none>", "10s", "httpd,b", "httpd:2.4,i:1", "app=web"],
        ),
    ],
)
def test_row_has_upstreams_cells(kind: Kind, status: Obj, row: list[Any], now: datetime) -> None:
    assert kind.row is not None
    made = workload(kind) | {"status": status}
    assert kind.row(made, now) == row
    assert len(row) == len(kind.columns)


@pytest.mark.parametrize(
    ("selector", "shown"),
    [
        (None, "<none>"),
        ({}, "<none>"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {
                "matchLabels": {"b": "2"},
                "matchExpressions": [
                    {"key": "d", "operator": "In", "values": ["y", "x"]},
                    {"key": "c", "operator": "NotIn", "values": ["z"]},
                    {"key": "e", "operator": "Exists"},
                    {"key": "a", "operator": "DoesNotExist"},
                ],
            },
            "!a,b=2,c notin (z),d in (x,y),e",
        ),
    ],
)
def test_selector_is_shown_as_a_query(selector: Obj | None, shown: str) -> None:
    assert selector_cell(selector) == shown


# ControllerRevision


def revision(**fields: Any) -> Obj:
    made: Obj = {
        "metadata": {"name": "web-65c787df95", "creationTimestamp": "2026-11-23T12:00:00Z"},
        "data": {"spec": {}},
        **fields,
    }
    CONTROLLER_REVISION.default(made)
    return made


def test_revision_shows_whose_it_is(now: datetime) -> None:
    assert CONTROLLER_REVISION.row is not None
    made = revision(revision=3)
    assert CONTROLLER_REVISION.row(made, now) == ["web-65c787df95", "<none>", 3, "10s"]
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u", "controller": True}
    made["metadata"]["ownerReferences"] = [owner]
    assert CONTROLLER_REVISION.row(made, now)[1] == "statefulset.apps/web"


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (revision(), None, []),
        (revision(data=None), None, ["data: Required value: data is mandatory"]),
        (revision(revision=-1), None, [f"revision: Invalid value: -1: {NEGATIVE}"]),
        (revision(revision=5), revision(), []),
        (revision(data={"a": 1}), revision(), ['data: Invalid value: {"a":1}: field is immutable']),
    ],
)
def test_revision_data_are_there_and_stay(new: Obj, old: Obj | None, expected: list[str]) -> None:
    assert errors_of(CONTROLLER_REVISION, new, old) == expected
