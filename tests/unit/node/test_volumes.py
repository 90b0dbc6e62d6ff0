from __future__ import annotations

import base64
import os
import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubelite.node.environment import ConfigError, Surroundings
from kubelite.node.host_volumes import Volume
from kubelite.node.mounts import mounts_of
from kubelite.node.runtime import Mount
from kubelite.node.volume_payload import references, token_life
from kubelite.node.volumes import VolumeContext, VolumesFailed, refresh, set_up, tear_down
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod


class Cluster:
    """Objects by (plural, name), and a context over them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects: dict[tuple[str, str], Obj] = {}

    def context(self) -> VolumeContext:
        def find(plural: str, namespace: str | None, name: str) -> Obj | None:
            return self.objects.get((plural, name))

        around = Surroundings(find=lambda plural, name: self.objects.get((plural, name)), node="node")
        return VolumeContext(self.root / "pod", self.root / "memory", around, _token, find)

    def set_up(self, *volumes: Obj, **spec: Any) -> dict[str, Volume]:
        return set_up(pod(volumes=list(volumes), **spec), self.context())


def _token(of: Obj, audience: str, expiration: int) -> str:
    return f"{audience}/{expiration}"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    found = Cluster(tmp_path)
    found.objects["configmaps", "cm"] = {
        "data": {"a": "1", "b": "2"},
        "binaryData": {"c": base64.b64encode(b"\xff").decode()},
    }
    found.objects["secrets", "s"] = {"data": {"key": base64.b64encode(b"secret").decode()}}
    return found


def shown(volume: Volume) -> dict[str, bytes]:
    visible = [path for path in volume.path.rglob("*") if not path.relative_to(volume.path).parts[0].startswith("..")]
    return {str(path.relative_to(volume.path)): path.read_bytes() for path in visible if path.is_file()}


def test_configmap_shows_all_keys_and_is_read_only(cluster: Cluster) -> None:
    ready = cluster.set_up({"name": "v", "configMap": {"name": "cm", "defaultMode": 0o640}})
    assert shown(ready["v"]) == {"a": b"1", "b": b"2", "c": b"\xff"}
    assert ready["v"].read_only
    assert (ready["v"].path / "a").stat().st_mode & 0o777 == 0o640
    assert ready["v"].path == cluster.root / "pod/volumes/kubernetes.io~configmap/v"


def test_items_choose_paths_and_modes(cluster: Cluster) -> None:
    items = [{"key": "key", "path": "deep/file", "mode": 0o400}]
    ready = cluster.set_up({"name": "v", "secret": {"secretName": "s", "items": items}})
    assert (ready["v"].path / "deep/file").read_bytes() == b"secret"
    assert (ready["v"].path / "deep/file").stat().st_mode & 0o777 == 0o400


def test_projected_volume_joins_its_sources(cluster: Cluster) -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607, "audience": "me"}},
        {"configMap": {"name": "cm", "items": [{"key": "a", "path": "ca.crt"}]}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        {"configMap": {"name": "absent", "optional": True}},
    ]
    volume = {"name": "v", "projected": {"sources": sources}}
    ready = cluster.set_up(volume)
    assert shown(ready["v"]) == {"token": b"me/3607", "ca.crt": b"1", "key": b"secret", "namespace": b"default"}
    assert token_life(pod(volumes=[volume])) == 3607
    assert references(pod(volumes=[volume])) == {("configmaps", "cm"), ("configmaps", "absent"), ("secrets", "s")}


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
        (
            {"configMap": {"name": "cm", "items": [{"key": "x", "path": "x"}]}},
            "configmap references non-existent config key: x",
        ),
        (
            {"secret": {"secretName": "s", "items": [{"key": "x", "path": "x"}]}},
            "references non-existent secret key: x",
        ),
        (
            {"csi": {"driver": "d"}},
            "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name d not found",
        ),
        ({"hostPath": {"path": "/no/such", "type": "Directory"}}, "hostPath type check failed: /no/such is not a"),
        ({"configMap": {"name": "cm", "items": [{"key": "a", "path": "../x"}]}}, "invalid path"),
    ],
)
def test_volume_that_cannot_be_is_named_with_the_reason(cluster: Cluster, volume: Obj, reason: str) -> None:
    with pytest.raises(VolumesFailed) as failed:
        cluster.set_up({"name": "v", **volume})
    assert str(failed.value).startswith(f'MountVolume.SetUp failed for volume "v" : {reason}')


def test_optional_sources_may_be_missing(cluster: Cluster) -> None:
    ready = cluster.set_up({"name": "v", "configMap": {"name": "no", "optional": True}})
    assert shown(ready["v"]) == {}


def test_volumes_fail_and_change_each_for_itself(cluster: Cluster) -> None:
    volumes = [{"name": "s", "secret": {"secretName": "s"}}, {"name": "cm", "configMap": {"name": "cm"}}]
    with pytest.raises(VolumesFailed) as failed:
        cluster.set_up(
            {"name": "a", "secret": {"secretName": "no"}}, *volumes, {"name": "b", "configMap": {"name": "no"}}
        )
    assert failed.value.problems == [
        'MountVolume.SetUp failed for volume "a" : secret "no" not found',
        'MountVolume.SetUp failed for volume "b" : configmap "no" not found',
    ]
    ready = cluster.set_up(*volumes)
    del cluster.objects["secrets", "s"]
    cluster.objects["configmaps", "cm"] = {"data": {"a": "2"}}
    with pytest.raises(VolumesFailed, match='secret "s" not found'):
        refresh(pod(volumes=volumes), cluster.context())
    assert (shown(ready["s"]), shown(ready["cm"])) == ({"key": b"secret"}, {"a": b"2"})


def test_change_of_the_source_swaps_all_files_at_once(cluster: Cluster) -> None:
    volume = {"name": "v", "configMap": {"name": "cm"}}
    ready = cluster.set_up(volume)["v"]
    first = os.readlink(ready.path / "..data")
    refresh(pod(volumes=[volume]), cluster.context())
    assert os.readlink(ready.path / "..data") == first
    cluster.objects["configmaps", "cm"] = {"data": {"b": "3"}}
    refresh(pod(volumes=[volume]), cluster.context())
    assert shown(ready) == {"b": b"3"}
    assert not (ready.path / "a").is_symlink()
    assert not (ready.path / first).exists()


def test_claims_lead_to_the_directory_of_their_volume(cluster: Cluster, tmp_path: Path) -> None:
    directory = tmp_path / "export"
    directory.mkdir()
    for kind, source in (("nfs", {"server": "127.0.0.1", "path": str(directory)}), ("local", {"path": str(directory)})):
        cluster.objects["persistentvolumes", "pv"] = {"metadata": {}, "spec": {kind: source}}
        cluster.objects["persistentvolumeclaims", "c"] = {
            "metadata": {},
            "spec": {"volumeName": "pv"},
            "status": {"phase": "Bound"},
        }
        ready = cluster.set_up({"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}})
        assert ready["v"] == Volume(directory, read_only=True)


def test_what_another_machine_serves_is_not_mistaken_for_a_directory_of_this_one(
    cluster: Cluster, tmp_path: Path
) -> None:
    source = {"server": "192.0.2.1", "path": str(tmp_path)}
    with pytest.raises(VolumesFailed, match=r"mount failed: 192\.0\.2\.1:/.* is on another machine"):
        cluster.set_up({"name": "v", "nfs": source})
    annotations = {"pv.kubernetes.io/provisioned-by": "fuseim.pri/ifs"}
    cluster.objects["persistentvolumes", "pv"] = {"metadata": {"annotations": annotations}, "spec": {"nfs": source}}
    cluster.objects["persistentvolumeclaims", "c"] = {
        "metadata": {},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    assert cluster.set_up({"name": "v", "persistentVolumeClaim": {"claimName": "c"}})["v"].path == tmp_path


def test_local_volume_that_the_node_cannot_offer_is_told_step_by_step(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    terms = [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
    far = {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    cluster.objects["persistentvolumeclaims", "c"] = {
        "metadata": {},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    cluster.objects["nodes", "node"] = {"metadata": {"name": "node", "labels": {}}}
    mounted = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    for spec, step, told in (
        ({"path": "/no/such"}, "NewMounter initialization", 'path "/no/such" does not exist'),
        ({"path": str(file)}, "NewMounter initialization", "only directory and block device are supported"),
        ({"path": str(tmp_path)}, "NodeAffinity check", "no matching NodeSelectorTerms"),
    ):
        affinity = far if "Node" in told else {}
        cluster.objects["persistentvolumes", "pv"] = {"metadata": {}, "spec": {"local": spec, **affinity}}
        with pytest.raises(VolumesFailed) as failed:
            set_up(pod(volumes=[mounted], nodeName="node"), cluster.context())
        assert str(failed.value) == f'MountVolume.{step} failed for volume "pv" : {told}'


def test_mount_options_are_not_for_host_paths(cluster: Cluster, tmp_path: Path) -> None:
    spec = {"hostPath": {"path": str(tmp_path)}, "mountOptions": ["ro"]}
    cluster.objects["persistentvolumes", "pv"] = {"metadata": {}, "spec": spec}
    bound = {"metadata": {}, "spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}}
    cluster.objects["persistentvolumeclaims", "c"] = bound
    with pytest.raises(VolumesFailed) as failed:
        cluster.set_up({"name": "v", "persistentVolumeClaim": {"claimName": "c"}})
    step = 'MountVolume.MountOptionSupport check failed for volume "pv"'
    assert failed.value.problems == [f"{step} : mount options are not supported for this volume type"]


def test_mount_option_keeps_a_volume_from_being_written(cluster: Cluster, tmp_path: Path) -> None:
    cluster.objects["persistentvolumeclaims", "c"] = {
        "metadata": {},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    for options, read_only in ((["ro", "noatime"], True), (["noatime"], False)):
        spec = {"local": {"path": str(tmp_path)}, "mountOptions": options}
        cluster.objects["persistentvolumes", "pv"] = {"metadata": {}, "spec": spec}
        assert cluster.set_up({"name": "v", "persistentVolumeClaim": {"claimName": "c"}})["v"].read_only == read_only
    for read_only in (True, False):  # the pod's group gets what the pod may write
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": read_only}}
        cluster.set_up(volume, securityContext={"fsGroup": os.getgid()})
        assert bool(tmp_path.stat().st_mode & stat.S_ISGID) != read_only


def test_the_group_of_a_persistent_volume_is_told(cluster: Cluster, tmp_path: Path) -> None:
    annotations = {"pv.beta.kubernetes.io/gid": "777"}
    spec = {"nfs": {"server": "localhost", "path": str(tmp_path)}}
    cluster.objects["persistentvolumes", "pv"] = {"metadata": {"annotations": annotations}, "spec": spec}
    cluster.objects["persistentvolumeclaims", "c"] = {
        "metadata": {},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    assert cluster.set_up({"name": "v", "persistentVolumeClaim": {"claimName": "c"}})["v"].group == "777"


def test_claim_that_leads_nowhere_is_told_as_such(cluster: Cluster) -> None:
    cluster.objects["persistentvolumeclaims", "unbound"] = {"metadata": {}, "spec": {}, "status": {"phase": "Pending"}}
    cluster.objects["persistentvolumeclaims", "lost"] = {
        "metadata": {},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    cluster.objects["persistentvolumeclaims", "raw"] = {
        "metadata": {},
        "spec": {"volumeName": "raw"},
        "status": {"phase": "Bound"},
    }
    cluster.objects["persistentvolumes", "raw"] = {"spec": {"volumeMode": "Block", "local": {"path": "/dev/x"}}}
    of_claim = "failed to process volumes=[v]: error processing PVC default/"
    for name, told in (
        ("no", f'{of_claim}no: failed to fetch PVC from API server: persistentvolumeclaims "no" not found'),
        ("unbound", f"{of_claim}unbound: PVC is not bound"),
        ("lost", f'{of_claim}lost: failed to fetch PV pv from API server: persistentvolumes "pv" not found'),
        ("raw", "raw block volumes are not supported"),
    ):
        with pytest.raises(VolumesFailed) as failed:
            cluster.set_up({"name": "v", "persistentVolumeClaim": {"claimName": name}})
        assert str(failed.value).startswith("Unable to attach or mount volumes: unmounted volumes=[v], ")
        assert str(failed.value).endswith(told)


def test_claim_that_is_being_deleted_is_for_pods_that_have_it_already(cluster: Cluster, tmp_path: Path) -> None:
    cluster.objects["persistentvolumes", "pv"] = {"metadata": {}, "spec": {"local": {"path": str(tmp_path)}}}
    cluster.objects["persistentvolumeclaims", "c"] = {
        "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    with pytest.raises(VolumesFailed, match=r"error processing PVC default/c: PVC is being deleted$"):
        cluster.set_up(volume)
    running = pod(volumes=[volume], status={"containerStatuses": [{"containerID": "docker://1"}]})
    assert set_up(running, cluster.context())["v"].path == tmp_path


def test_volume_for_one_pod_is_not_mounted_by_another_until_that_is_over(cluster: Cluster, tmp_path: Path) -> None:
    source = {"accessModes": ["ReadWriteOncePod"], "nfs": {"server": "localhost", "path": str(tmp_path)}}
    cluster.objects["persistentvolumes", "pv"] = {"metadata": {"name": "pv"}, "spec": source}
    cluster.objects["persistentvolumeclaims", "c"] = {
        "metadata": {},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    first, second = (pod(volumes=[volume], metadata={"name": name, "uid": name}) for name in ("first", "second"))
    cluster.objects["pods", "first"] = first
    context = cluster.context()
    set_up(first, replace(context, directory=tmp_path / "pods/first"))
    set_up(first, replace(context, directory=tmp_path / "pods/first"))
    with pytest.raises(VolumesFailed) as failed:
        set_up(second, replace(context, directory=tmp_path / "pods/second"))
    told = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"
    assert str(failed.value) == f'MountVolume.SetUp failed for volume "pv" : {told}'
    cluster.objects["pods", "first"] = {**first, "status": {"phase": "Succeeded"}}
    set_up(second, replace(context, directory=tmp_path / "pods/second"))


def test_empty_dir_is_writable_by_all_and_goes_with_the_pod(cluster: Cluster) -> None:
    ready = cluster.set_up({"name": "d", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory"}})
    assert [ready[name].path.stat().st_mode & 0o7777 for name in ("d", "m")] == [0o777, 0o1777]
    assert ready["m"].path == cluster.root / "memory" / "m"
    tear_down(cluster.root / "pod", cluster.root / "memory")
    assert not ready["d"].path.exists()
    assert not ready["m"].path.exists()


def test_host_paths_by_type(cluster: Cluster, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        volumes = [
            {"name": "any", "hostPath": {"path": "/no/such"}},
            {"name": "made", "hostPath": {"path": str(tmp_path / "new/dir"), "type": "DirectoryOrCreate"}},
            {"name": "file", "hostPath": {"path": str(tmp_path / "file"), "type": "FileOrCreate"}},
            {"name": "sock", "hostPath": {"path": str(tmp_path / "sock"), "type": "Socket"}},
        ]
        ready = cluster.set_up(*volumes)
    assert ready["any"].create
    assert (tmp_path / "new/dir").is_dir()
    assert (tmp_path / "file").is_file()


def test_volumes_of_files_are_directories_for_everybody_and_the_pods_group(cluster: Cluster) -> None:
    group = os.getgid()
    plain = cluster.set_up({"name": "v", "configMap": {"name": "cm"}}, {"name": "s", "secret": {"secretName": "s"}})
    assert [plain[name].path.stat().st_mode & 0o7777 for name in ("v", "s")] == [0o777, 0o1777]
    assert (plain["v"].path / "..data").stat().st_mode & 0o7777 == 0o755
    source = {"name": "cm", "defaultMode": 0o400, "items": [{"key": "a", "path": "deep/a"}]}
    owned = cluster.set_up({"name": "owned", "configMap": source}, securityContext={"fsGroup": group})["owned"].path
    found = {name: (owned / name).stat() for name in (".", "..data", "deep", "deep/a")}
    assert {entry.st_gid for entry in found.values()} == {group}
    assert [entry.st_mode & 0o7777 for entry in found.values()] == [0o2777, 0o2755, 0o2755, 0o440]


# --- mounts


def mount_of(entry: Obj, volume: Volume, directory: Path, **variables: str) -> Mount:
    spec = container(volumeMounts=[{"name": "v", "mountPath": "/v", **entry}])
    return mounts_of(spec, 0, directory, {"v": volume}, variables)[0]


def test_mounts_end_with_the_pods_files_and_the_message_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name in ("resolv.conf", "hosts", "hostname"):
        (tmp_path / "etc" / name).touch()
    spec = container(volumeMounts=[{"name": "v", "mountPath": "/etc/hosts"}])
    found = mounts_of(spec, 3, tmp_path, {"v": Volume(tmp_path)}, {})
    assert [mount.target for mount in found] == [
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/hostname",
        "/dev/termination-log",
    ]
    assert not any(mount.read_only for mount in found)
    sealed = mounts_of(container(securityContext={"readOnlyRootFilesystem": True}), 3, tmp_path, {}, {})
    assert [mount.target for mount in sealed if mount.read_only] == ["/etc/resolv.conf", "/etc/hostname"]
    assert found[-1].source == str(tmp_path / "containers/web/3")
    assert Path(found[-1].source).stat().st_mode & 0o777 == 0o666


def test_relative_paths_in_the_container_begin_at_its_root(tmp_path: Path) -> None:
    spec = container(volumeMounts=[{"name": "v", "mountPath": "data/x"}], terminationMessagePath="why")
    assert [mount.target for mount in mounts_of(spec, 0, tmp_path, {"v": Volume(tmp_path)}, {})] == ["/data/x", "/why"]


def test_read_only_and_propagation(tmp_path: Path) -> None:
    found = mount_of({"readOnly": True, "mountPropagation": "HostToContainer"}, Volume(tmp_path), tmp_path)
    assert (found.read_only, found.propagation) == (True, "rslave")
    assert mount_of({}, Volume(tmp_path, read_only=True), tmp_path).read_only


def test_recursively_read_only_is_more_than_the_engine_offers(tmp_path: Path) -> None:
    assert mount_of({"readOnly": True, "recursiveReadOnly": "IfPossible"}, Volume(tmp_path), tmp_path).read_only
    with pytest.raises(ConfigError) as failed:
        mount_of({"readOnly": True, "recursiveReadOnly": "Enabled"}, Volume(tmp_path), tmp_path)
    problem = 'volume "v" requested recursive read-only mode, but it is not supported by the runtime'
    assert str(failed.value) == f"failed to resolve recursive read-only mode: {problem}"


def test_sub_path_is_made_below_the_volume(tmp_path: Path) -> None:
    root = tmp_path / "v"
    root.mkdir()
    found = mount_of({"subPathExpr": "$(A)/b"}, Volume(root), tmp_path, A="x")
    assert found.source == str(root / "x/b")
    assert (root / "x/b").is_dir()


def test_sub_path_expression_needs_all_its_variables(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing value for EMPTY, GONE"):
        mount_of({"subPathExpr": "$(GONE)/$(EMPTY)"}, Volume(tmp_path), tmp_path / "pod", EMPTY="")
