"""Claims and volumes with real files: when they are made, who shares them, and what becomes of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubelite.controllers.volumes.provisioner import PROVISIONER
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.namespace import Namespace
from tests.docker.running_cluster import APP, eventually

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
STAYS = "trap 'exit 0' TERM; sleep 600 & wait"


@contextmanager
def classes(kubelite: Namespace, **wanted: Obj) -> Iterator[dict[str, str]]:
    """Storage classes of the test's own, by the names that it has for them."""
    path = "/apis/storage.k8s.io/v1/storageclasses"
    names = {name: f"{name}-{kubelite.namespace}" for name in wanted}
    for name, content in wanted.items():
        made = {"metadata": {"name": names[name]}, "provisioner": PROVISIONER, **content}
        kubelite.client.request("POST", path, made)
    try:
        yield names
    finally:
        for name in names.values():
            kubelite.client.request("DELETE", f"{path}/{name}")


def claim(kubelite: Namespace, name: str, storage_class: str = "", metadata: Obj | None = None, **spec: Any) -> None:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, **spec}
    asked |= {"storageClassName": storage_class} if storage_class else {}
    path = f"/api/v1/namespaces/{kubelite.namespace}/{CLAIMS}"
    kubelite.client.request("POST", path, {"metadata": {"name": name, **(metadata or {})}, "spec": asked})


def volume_of(kubelite: Namespace, name: str) -> str:
    return str(kubelite.wait(CLAIMS, name)["spec"]["volumeName"])


def run(kubelite: Namespace, name: str, script: str, claims: list[str], user: int | None = None) -> None:
    """A pod that has run the script to its end."""
    spec = {
        **mounting(claims, script),
        "restartPolicy": "Never",
        "securityContext": {} if user is None else {"runAsUser": user},
    }
    create(kubelite, name, spec)
    done = kubelite.wait("pods", name, lambda pod: pod["status"].get("phase") in ("Succeeded", "Failed"))
    assert done["status"]["phase"] == "Succeeded", kubelite.logs(name)


def mounting(claims: list[str], script: str = STAYS) -> Obj:
    """The spec of a pod that has each claim at /<its name>."""
    main = {
        "name": "main",
        "image": APP,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": one, "mountPath": f"/{one}"} for one in claims],
    }
    volumes = [{"name": one, "persistentVolumeClaim": {"claimName": one}} for one in claims]
    return {"terminationGracePeriodSeconds": 1, "containers": [main], "volumes": volumes}


def create(kubelite: Namespace, name: str, spec: Obj) -> None:
    path = f"/api/v1/namespaces/{kubelite.namespace}/pods"
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    kubelite.client.request("POST", path, whole)


def gone(kubelite: Namespace, plural: str, *names: str) -> None:
    """Delete and wait until they are."""
    for name in names:
        kubelite.delete(plural, name)
    for name in names:
        kubelite.wait(plural, name, "deleted")


def told(kubelite: Namespace, name: str, reason: str, text: str) -> None:
    """Wait for an event of the object."""
    path = f"/api/v1/namespaces/{kubelite.namespace}/events"
    query = {"fieldSelector": f"involvedObject.name={name},reason={reason}"}
    eventually(lambda: any(text in event["message"] for event in kubelite.client.items(path, query)))


def left(kubelite: Namespace) -> list[str]:
    """The directories of the namespace's claims, without the names of their volumes."""
    return sorted(path.name.partition("-pvc-")[0] for path in kubelite.volumes.glob(f"*{kubelite.namespace}*"))


FATES: dict[str, Obj] = {
    "archived": {},
    "removed": {"parameters": {"archiveOnDelete": "false"}, "volumeBindingMode": "WaitForFirstConsumer"},
    "retained": {"parameters": {"onDelete": "retain", "archiveOnDelete": "true"}},
    "deleted": {"parameters": {"onDelete": "delete"}},
}


def test_another_users_files_meet_the_fate_that_the_class_names(kubelite: Namespace) -> None:
    with classes(kubelite, **FATES) as named:
        for name in FATES:
            if name == "archived":
                claim(kubelite, name, metadata={"annotations": {OLD_CLASS: named[name]}})
            else:
                claim(kubelite, name, named[name])
        told(kubelite, "removed", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
        bound = {name: volume_of(kubelite, name) for name in FATES if name != "removed"}
        assert kubelite.get(CLAIMS, "removed")["status"]["phase"] == "Pending"
        script = " && ".join(f"mkdir -m 700 /{name}/own && echo kept > /{name}/own/file" for name in FATES)
        run(kubelite, "user", script, list(FATES), user=1234)
        bound["removed"] = volume_of(kubelite, "removed")
        for name, volume in bound.items():
            private = kubelite.volumes / f"{kubelite.namespace}-{name}-{volume}" / "own"
            assert (private.stat().st_uid, private.stat().st_mode & 0o777) == (1234, 0o700)
            kubelite.delete(CLAIMS, name)
        assert all(meta.is_terminating(found) for found in kubelite.list(CLAIMS))
        gone(kubelite, "pods", "user")
        for name, volume in bound.items():
            kubelite.wait(CLAIMS, name, "deleted")
            kubelite.wait(VOLUMES, volume, "deleted")
        assert left(kubelite) == [f"archived-{kubelite.namespace}-archived", f"{kubelite.namespace}-retained"]
        (archive,) = kubelite.volumes.glob(f"archived-{kubelite.namespace}-*")
        assert (archive / "own").stat().st_uid == 1234


PATTERNS: dict[str, Obj] = {
    "nested": {"parameters": {"pathPattern": "${.PVC.namespace}/${.PVC.name}"}},
    "colliding": {"parameters": {"pathPattern": "all/${.PVC.namespace}/${.PVC.labels.team}", "onDelete": "delete"}},
    "leaving": {"parameters": {"pathPattern": "${.PVC.annotations.where}/${.PVC.name}"}},
}


def test_patterns_nest_collide_and_stay_inside(kubelite: Namespace) -> None:
    nested = f"nested-{kubelite.namespace}"  # archives of all namespaces lie side by side
    with classes(kubelite, **PATTERNS) as named:
        claim(kubelite, nested, named["nested"])
        for name in ("one", "two"):
            claim(kubelite, name, named["colliding"], {"labels": {"team": "red"}})
        claim(kubelite, "out", named["leaving"], {"annotations": {"where": "a/../../.."}})
        script = f"echo hello > /one/file && cat /two/file > /{nested}/copy"
        run(kubelite, "user", script, [nested, "one", "two"])
        assert (kubelite.volumes / kubelite.namespace / nested / "copy").read_text() == "hello\n"
        told(kubelite, "out", "ProvisioningFailed", "leaves the export directory")
        assert kubelite.get(CLAIMS, "out")["status"]["phase"] == "Pending"

        gone(kubelite, "pods", "user")
        shared = kubelite.volumes / "all" / kubelite.namespace / "red"
        forget(kubelite, "one")
        assert (shared / "file").read_text() == "hello\n"
        forget(kubelite, "two")
        assert not shared.exists()
        forget(kubelite, nested)
        claim(kubelite, nested, named["nested"])
        forget(kubelite, nested)
        archives = [kubelite.volumes / f"archived-{nested}{number}" for number in ("", "-2")]
        assert [[path.name for path in archive.iterdir()] for archive in archives] == [["copy"], []]


def forget(kubelite: Namespace, name: str) -> None:
    """Delete a claim, and wait until its volume is gone, too."""
    volume = volume_of(kubelite, name)
    gone(kubelite, CLAIMS, name)
    kubelite.wait(VOLUMES, volume, "deleted")


def test_retained_volume_is_had_again_when_it_is_made_anew(kubelite: Namespace) -> None:
    with classes(kubelite, retain={"reclaimPolicy": "Retain"}) as named:
        claim(kubelite, "data", named["retain"])
        run(kubelite, "writer", "echo kept > /data/file", ["data"])
        name = volume_of(kubelite, "data")
        gone(kubelite, "pods", "writer")
        gone(kubelite, CLAIMS, "data")
        old = kubelite.wait(VOLUMES, name, lambda volume: volume["status"]["phase"] == "Released")
        claim(kubelite, "data", named["retain"], volumeName=name)
        told(kubelite, "data", "FailedBinding", f'volume "{name}" already bound to a different claim.')
        gone(kubelite, VOLUMES, name)
        assert (Path(old["spec"]["nfs"]["path"]) / "file").read_text() == "kept\n"
        spec = {key: value for key, value in old["spec"].items() if key != "claimRef"}
        anew = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
        kubelite.apply(json.dumps(anew))
        kubelite.wait(CLAIMS, "data")
        run(kubelite, "reader", "grep kept /data/file", ["data"])
        gone(kubelite, "pods", "reader")
        gone(kubelite, CLAIMS, "data")
        gone(kubelite, VOLUMES, name)


WAITS = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}


def test_local_volumes_wait_for_a_pod_that_can_have_them_all(kubelite: Namespace, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with classes(kubelite, local=WAITS) as named, local_volumes(kubelite, tmp_path, named["local"]) as volumes:
        for name, size in (("one", "1Mi"), ("two", "2Mi"), ("three", "5Mi")):
            claim(kubelite, name, named["local"], resources={"requests": {"storage": size}})
        create(kubelite, "greedy", mounting(["one", "two", "three"]))
        told(kubelite, "greedy", "FailedScheduling", "1 node(s) didn't find available persistent volumes to bind.")
        told(kubelite, "one", "WaitForPodScheduled", "waiting for pod greedy to be scheduled")
        assert {claim["status"]["phase"] for claim in kubelite.list(CLAIMS)} == {"Pending"}
        gone(kubelite, "pods", "greedy")

        create(kubelite, "modest", mounting(["one"], f"echo here > /one/file; {STAYS}"))
        kubelite.wait("pods", "modest")
        assert volume_of(kubelite, "one") == volumes["small"]
        eventually((tmp_path / "small" / "file").exists)
        kubelite.kubectl("patch", "pv", volumes["small"], "-p", '{"spec": {"capacity": {"storage": "4Mi"}}}')
        kubelite.wait(CLAIMS, "one", lambda claim: claim["status"]["capacity"] == {"storage": "4Mi"})
        grown = f'MountVolume.NodeExpandVolume succeeded for volume "{volumes["small"]}"'
        told(kubelite, "modest", "FileSystemResizeSuccessful", grown)

        create(kubelite, "unlucky", mounting(["two"]))
        step = f'MountVolume.NewMounter initialization failed for volume "{volumes["missing"]}"'
        told(kubelite, "unlucky", "FailedMount", f'{step} : path "{tmp_path}/missing" does not exist')
        gone(kubelite, "pods", "modest", "unlucky")
        gone(kubelite, CLAIMS, "one")
        failed = kubelite.wait(VOLUMES, volumes["small"], lambda volume: volume["status"]["phase"] == "Failed")
        assert failed["status"]["message"].endswith("no deletable volume plugin matched")
        assert (tmp_path / "small" / "file").exists()


@contextmanager
def local_volumes(kubelite: Namespace, root: Path, storage_class: str) -> Iterator[dict[str, str]]:
    """One volume whose directory is there and one whose directory isn't, by the names that the test has for them."""
    anywhere = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}
    sizes = {"small": "1Mi", "missing": "3Mi"}
    names = {name: f"{name}-{kubelite.namespace}" for name in sizes}
    for name, size in sizes.items():
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": storage_class,
            "local": {"path": str(root / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [anywhere]}},
        }
        kubelite.client.request("POST", f"/api/v1/{VOLUMES}", {"metadata": {"name": names[name]}, "spec": spec})
    try:
        yield names
    finally:
        for name in names.values():
            kubelite.client.request("DELETE", f"/api/v1/{VOLUMES}/{name}")


def test_recycled_volume_is_empty_and_a_claim_that_loses_it_is_lost(kubelite: Namespace, tmp_path: Path) -> None:
    name, directory = f"recycled-{kubelite.namespace}", tmp_path / "recycled"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    spec = {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Recycle",
        "storageClassName": name,
        "hostPath": {"path": str(directory)},
    }
    kubelite.client.request("POST", f"/api/v1/{VOLUMES}", {"metadata": {"name": name}, "spec": spec})
    claim(kubelite, "data", name)
    run(kubelite, "writer", "mkdir -m 700 /data/own && touch /data/own/file /data/.hidden", ["data"], user=1234)
    assert sorted(path.name for path in directory.iterdir()) == [".hidden", "own"]
    gone(kubelite, "pods", "writer")
    gone(kubelite, CLAIMS, "data")
    free = kubelite.wait(VOLUMES, name, lambda volume: volume["status"]["phase"] == "Available")
    assert "claimRef" not in free["spec"]
    assert list(directory.iterdir()) == []

    claim(kubelite, "data", name)
    assert volume_of(kubelite, "data") == name
    kubelite.delete(VOLUMES, name)
    kubelite.kubectl("patch", "pv", name, "-p", '{"metadata": {"finalizers": null}}')
    lost = kubelite.wait(CLAIMS, "data", lambda found: found["status"]["phase"] == "Lost")
    assert lost["status"] == {"phase": "Lost"}
    told(kubelite, "data", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
    create(kubelite, "late", mounting(["data"]))
    told(kubelite, "late", "FailedScheduling", f'"data" bound to non-existent persistentvolume "{name}"')


def test_files_are_shared_by_pods_in_a_claim_and_by_containers_in_an_empty_directory(kubelite: Namespace) -> None:
    claim(kubelite, "both", accessModes=["ReadWriteMany"])
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("both", "scratch")]

    def sharing(name: str, script: str = ":") -> Obj:
        command = ["sh", "-c", f"{script}; {STAYS}"]
        return {
            "name": name,
            "image": APP,
            "imagePullPolicy": "IfNotPresent",
            "command": command,
            "volumeMounts": mounts,
        }

    volumes = [{"name": "both", "persistentVolumeClaim": {"claimName": "both"}}, {"name": "scratch", "emptyDir": {}}]
    spec = {"terminationGracePeriodSeconds": 1, "volumes": volumes}
    writing = "echo public > /both/file; echo private > /scratch/file"
    create(kubelite, "writer", {**spec, "containers": [sharing("main", writing), sharing("peer")]})
    create(kubelite, "reader", {**spec, "containers": [sharing("main")]})
    writer = kubelite.wait("pods", "writer")
    kubelite.wait("pods", "reader")
    read = "cat /both/file /scratch/file 2>/dev/null | tr '\\n' ' '"
    eventually(lambda: kubelite.exec("reader", "sh", "-c", read) == "public ")
    peer = ("exec", "writer", "-c", "peer", "--", "sh", "-c", read)
    eventually(lambda: kubelite.kubectl(*peer).stdout == "public private ")
    scratch = kubelite.settings.pods / meta.uid(writer) / "volumes" / "kubernetes.io~empty-dir" / "scratch"
    assert (scratch / "file").exists()
    gone(kubelite, "pods", "writer")
    eventually(lambda: not scratch.exists())
    assert kubelite.exec("reader", "cat", "/both/file") == "public\n"
