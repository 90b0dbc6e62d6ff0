"""`scale`, `patch`, `label`, `annotate`, `edit`, `set`, `replace`, `cordon`."""

from __future__ import annotations

import json

from tests.kubectl.shell import Shell, every_version


def data(shell: Shell) -> dict[str, str]:
    found: dict[str, str] = shell.view.get("configmaps", "c").get("data") or {}
    return found


def test_scale(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd")
    assert shell.ok("scale deployment d --replicas=2") == "deployment.apps/d scaled\n"
    assert len(shell.view.wait("deployments", "d")["status"]) > 0
    assert shell.ok("scale deployment/d --current-replicas=2 --replicas=0") == "deployment.apps/d scaled\n"
    told = shell.fails("scale deployment/d --current-replicas=2 --replicas=1")
    assert "xpected replicas to be 2, was 0" in told
    assert shell.rows("get deployment d")[0][1] == "0/0"


@every_version
def test_three_types_of_patch(shell: Shell) -> None:
    shell.ok("create configmap c --from-literal=a=1 --from-literal=b=2")
    assert shell.ok('patch configmap c -p \'{"data": {"a": "3"}}\'') == "configmap/c patched\n"
    shell.ok('patch configmap c --type=merge -p \'{"data": {"b": null, "c": "4"}}\'')
    operations = [
        {"op": "test", "path": "/data/a", "value": "3"},
        {"op": "move", "from": "/data/c", "path": "/data/d"},
    ]
    shell.ok(f"patch configmap c --type=json -p '{json.dumps(operations)}'")
    assert data(shell) == {"a": "3", "d": "4"}
    assert shell.ok('patch configmap c -p \'{"data": {"a": "3"}}\'') == "configmap/c patched (no change)\n"
    failing = json.dumps([{"op": "test", "path": "/data/a", "value": "9"}])
    shell.fails(f"patch configmap c --type=json -p '{failing}'")
    assert data(shell) == {"a": "3", "d": "4"}


def test_strategic_patch_merges_containers_by_name(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd")
    sidecar = {"name": "side", "image": "kubelite/tools:latest"}
    shell.ok(f"patch deployment d -p '{json.dumps(_containers(sidecar))}'")
    shell.ok(f"patch deployment d -p '{json.dumps(_containers({'name': 'httpd', 'image': 'httpd:2.4'}))}'")
    images = "{range .spec.template.spec.containers[*]}{.name}={.image} {end}"
    shown = shell.ok(f"get deployment d -o jsonpath='{images}'").split()
    assert sorted(shown) == ["httpd=httpd:2.4", "side=kubelite/tools:latest"]
    deletion = {"name": "side", "$patch": "delete"}
    shell.ok(f"patch deployment d -p '{json.dumps(_containers(deletion))}'")
    assert shell.ok(f"get deployment d -o jsonpath='{images}'").split() == ["httpd=httpd:2.4"]


def _containers(container: dict[str, str]) -> dict[str, object]:
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


@every_version
def test_patch_of_a_subresource(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd")
    if shell.minor >= 24:  # the option is that old
        shell.ok('patch deployment d --subresource=scale --type=merge -p \'{"spec": {"replicas": 2}}\'')
        assert shell.ok("get deployment d --subresource=scale -o jsonpath={.spec.replicas}") == "2"


@every_version
def test_label_and_annotate(shell: Shell) -> None:
    annotated = f"configmap/c annotate{'' if shell.minor == 27 else 'd'}\n"  # 1.27 forgets a letter
    shell.ok("create configmap c")
    assert shell.ok("label configmap c tier=front") == "configmap/c labeled\n"
    told = shell.fails("label configmap c tier=back")
    assert "already has a value (front), and --overwrite is false" in told
    assert shell.ok("label configmap c tier=back --overwrite") == "configmap/c labeled\n"
    assert shell.ok("annotate configmap c note='two words'") == annotated
    metadata = shell.view.get("configmaps", "c")["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"tier": "back"}, {"note": "two words"})
    assert shell.ok("label configmap c tier-") == f"configmap/c {'unlabeled' if shell.minor >= 21 else 'labeled'}\n"
    assert shell.ok("annotate configmap c note-") == annotated
    assert "labels" not in shell.view.get("configmaps", "c")["metadata"]
    assert "a valid label must be" in shell.fails("label configmap c 'tier=not valid'")


@every_version
def test_edit(shell: Shell) -> None:
    shell.ok("create configmap c --from-literal=colour=blue")
    done = shell.ok("edit configmap c", KUBE_EDITOR="sed -i s/blue/red/")
    assert done == "configmap/c edited\n"
    assert data(shell) == {"colour": "red"}
    unchanged = shell.run("edit configmap c", KUBE_EDITOR="true")
    assert (unchanged.returncode, unchanged.stderr) == (0, "Edit cancelled, no changes made.\n")


def test_edit_of_a_deployment_rolls_it(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd")
    shell.view.wait("deployments", "d")
    assert (
        shell.ok("edit deployment d", KUBE_EDITOR="sed -i s/image:.httpd/image:\\ httpd:2.4/")
        == "deployment.apps/d edited\n"
    )
    shell.ok("rollout status deployment/d --timeout=60s")
    images = shell.ok("get pods -o jsonpath='{.items[*].spec.containers[0].image}'").split()
    assert "httpd:2.4" in images


def test_refused_edit_tells_why(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd")
    done = shell.run("edit deployment d", KUBE_EDITOR="sed -i s/replicas:.1/replicas:\\ -1/")
    assert done.returncode == 1
    assert 'error: deployments.apps "d" is invalid' in done.stderr
    assert shell.view.get("deployments", "d")["spec"]["replicas"] == 1


def test_set_image_env_and_resources(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd")
    assert shell.ok("set image deployment/d httpd=httpd:2.4") == "deployment.apps/d image updated\n"
    assert shell.ok("set env deployment/d A=1") == "deployment.apps/d env updated\n"
    resources = "set resources deployment/d --limits=memory=64Mi"
    assert shell.ok(resources) == "deployment.apps/d resource requirements updated\n"
    (container,) = shell.view.get("deployments", "d")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "httpd:2.4"
    assert container["env"] == [{"name": "A", "value": "1"}]
    assert container["resources"]["limits"] == {"memory": "64Mi"}


def test_stale_replace_conflicts(shell: Shell) -> None:
    shell.ok("create configmap c --from-literal=a=1")
    stale = shell.ok("get configmap c -o yaml")
    shell.ok('patch configmap c -p \'{"data": {"a": "2"}}\'')
    told = shell.fails("replace -f -", input=stale)
    assert "Error from server (Conflict)" in told
    assert "the object has been modified; please apply your changes to the latest version and try again" in told


def test_cordon_and_taint(shell: Shell) -> None:
    node = shell.view.settings.node_name
    assert shell.ok(f"cordon {node}") == f"node/{node} cordoned\n"
    assert shell.rows("get nodes")[0][1] == "Ready,SchedulingDisabled"
    assert shell.ok(f"uncordon {node}") == f"node/{node} uncordoned\n"
    assert shell.ok(f"taint node {node} a=b:PreferNoSchedule") == f"node/{node} tainted\n"
    assert shell.ok(f"taint node {node} a-") == f"node/{node} untainted\n"
