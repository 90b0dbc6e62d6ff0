"""`kubectl get` in its formats, watches, `events`."""

from __future__ import annotations

import json

from tests.kubectl.shell import Shell, every_version


@every_version
def test_get_prints_the_servers_columns(shared: Shell) -> None:
    head, *rows = shared.ok("get pods -l app=web").splitlines()
    assert head.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row.split()[:4] for row in rows] == [["web-0", "1/1", "Running", "0"], ["web-1", "1/1", "Running", "0"]]
    head, *rows = shared.ok("get statefulsets,deployments").splitlines()
    assert head.split() == ["NAME", "READY", "AGE"]
    assert rows[0].split()[:2] == ["statefulset.apps/web", "2/2"]


def test_wide_shows_more_columns(shared: Shell) -> None:
    head, first, _ = shared.ok("get pods -l app=web -o wide").splitlines()
    assert head.split()[5:7] == ["IP", "NODE"]
    pod = shared.view.get("pods", "web-0")
    assert first.split()[5:7] == [pod["status"]["podIP"], pod["spec"]["nodeName"]]
    assert "CONTAINERS" in shared.ok("get statefulset web -o wide").splitlines()[0]
    assert "CONTAINER-RUNTIME" in shared.ok("get nodes -o wide").splitlines()[0]


def test_formats(shared: Shell) -> None:
    assert shared.ok("get pod web-0 -o name") == "pod/web-0\n"
    assert shared.ok("get pod web-0 -o jsonpath={.metadata.name}") == "web-0"
    assert json.loads(shared.ok("get pod web-0 -o json"))["kind"] == "Pod"
    assert json.loads(shared.ok("get pods -o json"))["kind"] == "List"
    assert "kind: Pod" in shared.ok("get pod web-0 -o yaml").splitlines()
    assert shared.ok("get pods -l app=web -o custom-columns=N:.metadata.name --no-headers") == "web-0\nweb-1\n"
    assert shared.ok("get pods -o go-template='{{len .items}}'") == str(len(shared.view.list("pods")))


def test_selectors_and_order(shared: Shell) -> None:
    names = "-o custom-columns=:.metadata.name --no-headers"
    assert shared.ok(f"get pods -l 'app in (web,two),app!=two' {names}") == "web-0\nweb-1\n"
    assert shared.ok(f"get pods --field-selector=metadata.name=two {names}") == "two\n"
    assert shared.ok(f"get pods --field-selector=status.phase!=Running {names}") == ""
    ordered = shared.ok(f"get pods -l app=web --sort-by=.metadata.creationTimestamp {names}")
    assert ordered == "web-0\nweb-1\n"
    assert shared.ok("get pods --show-labels -l app=two").splitlines()[1].split()[-1] == "app=two"
    assert shared.ok("get pods -L app -l app=two").splitlines()[1].split()[-1] == "two"


def test_pages(shared: Shell) -> None:
    assert len(shared.rows("get pods --chunk-size=1")) == len(shared.view.list("pods"))


def test_every_namespace(shared: Shell) -> None:
    rows = shared.rows("get pods -A")
    assert ["kube-system", shared.view.namespace] == sorted({row[0] for row in rows if row[0] != "default"})[:2]


@every_version
def test_every_resource_can_be_listed(shared: Shell) -> None:
    names = shared.ok("api-resources --verbs=list -o name").split()
    stored = [name for name in names if not name.endswith(".metrics.k8s.io")]  # measuring takes its time
    stored.remove("componentstatuses")
    assert len(stored) > 20
    shared.ok(f"get {','.join(stored)} -A")


def test_component_statuses_come_with_a_warning(shared: Shell) -> None:
    done = shared.run("get cs --no-headers")
    healthy = [line.split()[:2] for line in done.stdout.splitlines()]
    assert healthy == [["controller-manager", "Healthy"], ["etcd-0", "Healthy"], ["scheduler", "Healthy"]]
    assert done.stderr == "Warning: v1 ComponentStatus is deprecated in v1.19+\n"


@every_version
def test_missing_object_and_unknown_type(shared: Shell) -> None:
    assert shared.fails("get pod none") == 'Error from server (NotFound): pods "none" not found\n'
    assert shared.fails("get nonsense") == 'error: the server doesn\'t have a resource type "nonsense"\n'
    done = shared.run("get pods -l app=none")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"No resources found in {shared.view.namespace} namespace.\n"


def test_raw(shared: Shell) -> None:
    assert shared.ok("get --raw /readyz") == "ok"
    assert json.loads(shared.ok("get --raw /api/v1/namespaces/default"))["metadata"]["name"] == "default"


@every_version
def test_watch_shows_a_pods_life(shell: Shell) -> None:
    with shell.stream("get pods -w") as stream:
        shell.ok("run web --image=httpd --image-pull-policy=IfNotPresent")
        stream.until(r"^web +0/1 +ContainerCreating")
        stream.until(r"^web +1/1 +Running")
        shell.ok("delete pod web --wait=false")
        stream.until(r"^web +\d/1 +Terminating")
    assert stream.seen[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]


def test_watch_of_events_and_one_object(shell: Shell) -> None:
    shell.ok("create configmap c --from-literal=a=1")
    with shell.stream(
        "get configmap c -w --output-watch-events -o jsonpath='{.type} {.object.data.a}{\"\\n\"}'"
    ) as stream:
        stream.until("ADDED 1")
        shell.ok("create configmap other")
        shell.ok('patch configmap c -p \'{"data": {"a": "2"}}\'')
        stream.until("MODIFIED 2")
        shell.ok("delete configmap c")
        stream.until("DELETED 2")
    assert len(stream.seen) == 3


@every_version
def test_events(shared: Shell) -> None:
    for line in ("get events", "events")[: 2 if shared.minor >= 26 else 1]:
        head, *rows = shared.ok(line).splitlines()
        assert head.split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
        assert any("pod/web-0" in row.lower() and "Scheduled" in row for row in rows)
    reasons = "get events --field-selector=involvedObject.name=web-0 -o jsonpath='{.items[*].reason}'"
    assert {"Scheduled", "Created", "Started"} <= set(shared.ok(reasons).split())
    if shared.minor >= 26:
        assert "web-0" in shared.ok("events --for=pod/web-0")
