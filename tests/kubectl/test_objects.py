"""What every object goes through, as kubectl's users meet it: names, dry runs, finalizers, namespaces, events."""

from __future__ import annotations

import json

from tests.kubectl.shell import Shell, newest_version

HELD = "example.com/held"


def test_a_namespace_goes_when_nothing_holds_what_is_in_it(shell: Shell) -> None:
    name = f"{shell.view.namespace}-going"
    shell.ok(f"create namespace {name}")
    shell.ok(f"-n {name} create configmap free")
    shell.ok(f"-n {name} create configmap held")
    shell.ok(f"""-n {name} patch configmap held -p '{{"metadata":{{"finalizers":["{HELD}"]}}}}'""")
    shell.ok(f"delete namespace {name} --wait=false")
    shell.ok(f"wait --for=condition=NamespaceFinalizersRemaining namespace/{name} --timeout=20s")
    assert shell.ok(f"-n {name} get configmaps -o name") == "configmap/held\n"
    conditions = {one["type"]: one for one in json.loads(shell.ok(f"get ns {name} -o json"))["status"]["conditions"]}
    assert conditions["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: configmaps. has 1 resource instances"
    )
    assert conditions["NamespaceFinalizersRemaining"]["message"] == (
        f"Some content in the namespace has finalizers remaining: {HELD} in 1 resource instances"
    )
    refused = shell.fails(f"-n {name} create configmap late")
    assert f"unable to create new content in namespace {name} because it is being terminated" in refused
    shell.ok(f"""-n {name} patch configmap held --type=json -p '[{{"op":"remove","path":"/metadata/finalizers"}}]'""")
    shell.eventually(lambda: "NotFound" in shell.run(f"get namespace {name}").stderr)


def test_names_are_generated_and_tried_dry(shell: Shell) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: made-}\n"
    dry = shell.ok("create -f - --dry-run=server -o name", input=manifest)
    assert dry.startswith("configmap/made-")
    assert "NotFound" in shell.fails(f"get {dry.strip()}")
    made = {shell.ok("create -f - -o name", input=manifest) for _ in range(3)}
    assert {len(name) for name in made} == {len("configmap/made-") + 5 + 1}
    assert len(made) == 3


def test_similar_events_are_combined(shell: Shell) -> None:
    """Twelve pods of one ReplicaSet are twelve messages of one reason."""
    pod = '"spec": {"terminationGracePeriodSeconds": 0, "nodeSelector": {"kind": "none"}, "containers": [{"name": "c", '
    template = '{"metadata": {"labels": {"app": "many"}}, ' + pod + '"image": "kubelite/tools:latest"}]}}'
    spec = '{"replicas": 12, "selector": {"matchLabels": {"app": "many"}}, "template": ' + template + "}"
    manifest = '{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "many"}, "spec": ' + spec + "}"
    shell.ok("create -f -", input=manifest)
    events = "get events --field-selector=involvedObject.name=many -o json"
    shell.eventually(lambda: len(json.loads(shell.ok(events))["items"]) == 10)
    counted = {one["message"].partition(":")[0]: one["count"] for one in json.loads(shell.ok(events))["items"]}
    assert counted == {"Created pod": 1, "(combined from similar events)": 3}
    shell.ok("delete replicaset many")


@newest_version
def test_dependents_go_stay_or_go_first(shell: Shell) -> None:
    for name in ("stay", "go", "first"):
        shell.ok(f"create deployment {name} --image=none --replicas=0")
    sets = "get replicasets -o custom-columns=:.metadata.name --no-headers"
    shell.eventually(lambda: len(shell.ok(sets).split()) == 3)
    shell.ok("delete deployment stay --cascade=orphan")
    shell.ok("delete deployment go")
    (first,) = (name for name in shell.ok(sets).split() if name.startswith("first"))
    shell.ok(f"""patch replicaset {first} -p '{{"metadata":{{"finalizers":["{HELD}"]}}}}'""")
    shell.ok("delete deployment first --cascade=foreground --wait=false")
    shell.eventually(lambda: bool(shell.ok(f"get replicaset {first} -o jsonpath={{.metadata.deletionTimestamp}}")))
    held = "get deployment first -o jsonpath={.metadata.finalizers[*]}"
    assert shell.ok(held) == "foregroundDeletion"
    shell.ok(f"""patch replicaset {first} -p '{{"metadata":{{"finalizers":null}}}}'""")
    shell.eventually(lambda: "NotFound" in shell.run("get deployment first").stderr)
    (left,) = shell.ok(sets).split()
    assert left.startswith("stay")
    assert shell.ok(f"get replicaset {left} -o jsonpath={{.metadata.ownerReferences}}") == ""
    shell.ok(f"delete replicaset {left}")
