"""`kubectl wait` and `rollout`."""

from __future__ import annotations

from tests.kubectl.shell import Shell, every_version


@every_version
def test_wait_for_conditions(shared: Shell) -> None:
    assert shared.ok("wait --for=condition=Ready pod/web-0 --timeout=30s") == "pod/web-0 condition met\n"
    assert shared.ok("wait --for=condition=available deployment/hello --timeout=30s").endswith("condition met\n")
    told = shared.fails("wait --for=condition=Ready=false pod/web-0 --timeout=100ms")
    assert "timed out waiting for the condition" in told
    if shared.minor >= 23:  # the form is that old
        assert shared.ok("wait --for=jsonpath='{.status.phase}'=Running pod/web-0 --timeout=30s")
    if shared.minor >= 31:
        assert shared.ok("wait --for=create pod/web-0 --timeout=30s") == "pod/web-0 condition met\n"


@every_version
def test_rollout_status_of_what_is_there(shared: Shell) -> None:
    assert shared.ok("rollout status deployment/hello") == 'deployment "hello" successfully rolled out\n'
    assert shared.ok("rollout status statefulset/web").startswith("partitioned roll out complete: 2 new pods")
    assert "REVISION" in shared.ok("rollout history deployment/hello")


def test_wait_follows_a_pod_up_and_down(shell: Shell) -> None:
    shell.ok("run web --image=httpd --image-pull-policy=IfNotPresent")
    assert shell.ok("wait --for=condition=Ready pod -l run=web --timeout=60s") == "pod/web condition met\n"
    shell.ok("delete pod web --wait=false")
    shell.ok("wait --for=delete pod/web --timeout=60s")
    assert shell.view.list("pods") == []


def test_deployment_rolls_out_back_and_again(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd --replicas=2")
    status = "rollout status deployment/d --timeout=60s"
    assert shell.ok(status).splitlines()[-1] == 'deployment "d" successfully rolled out'
    shell.ok("set image deployment/d httpd=httpd:2.4")
    assert shell.ok(status).splitlines()[-1] == 'deployment "d" successfully rolled out'
    history = shell.ok("rollout history deployment/d").splitlines()
    assert [line.split() for line in history[2:] if line] == [["1", "<none>"], ["2", "<none>"]]
    assert "httpd:2.4" in shell.ok("rollout history deployment/d --revision=2")
    assert shell.ok("rollout undo deployment/d") == "deployment.apps/d rolled back\n"
    shell.ok(status)
    assert shell.ok("get deployment d -o jsonpath={..image}") == "httpd"
    assert shell.ok("rollout restart deployment/d") == "deployment.apps/d restarted\n"
    shell.ok(status)
    assert shell.ok("rollout pause deployment/d") == "deployment.apps/d paused\n"
    assert shell.ok("rollout resume deployment/d") == "deployment.apps/d resumed\n"


def test_stateful_set_rolls_out(shell: Shell) -> None:
    manifest = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  serviceName: s
  replicas: 2
  selector: {matchLabels: {app: s}}
  template:
    metadata: {labels: {app: s}, annotations: {note: "a <& b>"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: httpd, image: httpd, imagePullPolicy: IfNotPresent}
"""
    shell.ok("apply -f -", input=manifest)
    assert "partitioned roll out complete: 2 new pods have been updated..." in shell.ok(
        "rollout status statefulset/s --timeout=60s"
    )
    assert len(shell.ok("rollout history statefulset/s").splitlines()) >= 3
    assert shell.ok("rollout restart statefulset/s") == "statefulset.apps/s restarted\n"
    shell.ok("rollout status statefulset/s --timeout=60s")
    revisions = shell.ok("get pods -o jsonpath='{.items[*].metadata.labels.controller-revision-hash}'").split()
    assert set(revisions) == {shell.view.get("statefulsets", "s")["status"]["updateRevision"]}
    assert shell.ok("rollout undo statefulset/s") == "statefulset.apps/s rolled back\n"
    shell.ok("rollout status statefulset/s --timeout=60s")
    history = shell.ok("rollout history statefulset/s").splitlines()
    assert [line.split()[0] for line in history[2:] if line] == ["2", "3"]
    again = shell.ok("rollout undo statefulset/s --to-revision=3")
    assert again == "statefulset.apps/s skipped rollback (current template already matches revision 3)\n"
    assert "unable to find specified revision 1 in history" in shell.fails("rollout undo statefulset/s --to-revision=1")
