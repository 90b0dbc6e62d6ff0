"""What kubectl asks the server about itself: `explain`, `api-resources`, `version`, `auth`, `cluster-info`."""

from __future__ import annotations

import json

from tests.kubectl.shell import Shell, every_version


@every_version
def test_explain(shared: Shell) -> None:
    shown = " ".join(shared.ok("explain statefulset.spec.volumeClaimTemplates.spec.accessModes").split())
    assert "KIND: StatefulSet" in shown
    assert "accessModes <[]string>" in shown
    fields = shared.ok("explain pod.spec")
    assert all(name in fields for name in ("containers", "restartPolicy", "nodeName"))
    assert "matchLabels" in shared.ok("explain deployment --recursive")
    assert 'field "nonsense" does not exist' in shared.fails("explain pod.spec.nonsense")


def test_explain_of_every_resource(shared: Shell) -> None:
    for name in ("pods", "services", "persistentvolumeclaims", "endpointslices", "leases", "storageclasses", "roles"):
        assert "KIND:" in shared.ok(f"explain {name}")


@every_version
def test_api_resources_and_versions(shared: Shell) -> None:
    rows = {row[0]: row for row in shared.rows("api-resources --no-headers=false")}
    assert rows["statefulsets"] == ["statefulsets", "sts", "apps/v1", "true", "StatefulSet"]
    assert rows["persistentvolumes"] == ["persistentvolumes", "pv", "v1", "false", "PersistentVolume"]
    assert "deployments.apps" in shared.ok("api-resources --api-group=apps -o name").split()
    assert {"v1", "apps/v1", "storage.k8s.io/v1"} <= set(shared.ok("api-versions").split())


@every_version
def test_version(shared: Shell) -> None:
    shown = json.loads(shared.run("version -o json").stdout)
    assert shown["serverVersion"]["gitVersion"].startswith("v1.32.")


@every_version
def test_authorization(shared: Shell) -> None:
    assert shared.ok("auth can-i create deployments") == "yes\n"
    assert "*.*" in shared.ok("auth can-i --list")
    if shared.minor >= 28:
        assert "kubernetes-admin" in shared.ok("auth whoami")


def test_cluster_info(shared: Shell) -> None:
    shown = shared.ok("cluster-info")
    assert f"is running at {_plain(shared.view.settings.api_url)}" in _plain(shown)


def _plain(text: str) -> str:
    """Without the colours that it has even without a terminal."""
    return "".join(part.partition("m")[2] if at else part for at, part in enumerate(text.split("\x1b[")))


def test_config_and_options_need_nothing_of_the_server(shared: Shell) -> None:
    assert shared.ok("config current-context").strip()
    assert shared.view.namespace in shared.ok("config view --minify -o jsonpath={..namespace}")
