"""PersistentVolumes, their claims and StorageClasses."""

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.persistentvolume import PERSISTENT_VOLUME
from kubelite.registry.kinds.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM, claim_spec_errors
from kubelite.registry.kinds.storageclass import STORAGE_CLASS
from kubelite.registry.validation import dns_label, dns_subdomain
from tests.unit.registry.kinds.conftest import NOW

OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT = "storageclass.kubernetes.io/is-default-class"


def volume(**spec) -> Obj:
    return {
        "metadata": {"name": "pv0"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "100Mi"},
            "nfs": {"server": "s", "path": "/x"},
        }
        | spec,
    }


def claim(**spec) -> Obj:
    requests = {"requests": {"storage": "100Mi"}}
    return {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": requests} | spec}


def storage_class(name: str, **fields) -> Obj:
    return {"metadata": {"name": name, "annotations": {DEFAULT: "true"}}, "provisioner": "p"} | fields


def bound(obj: Obj) -> None:
    obj["spec"]["volumeName"] = "pv0"
    obj["status"] = {"phase": "Bound", "capacity": {"storage": "100Mi"}, "accessModes": ["ReadWriteOnce"]}


# volumes


def test_volume_gets_its_defaults_and_protection(cluster) -> None:
    made = cluster.create(PERSISTENT_VOLUME, volume())
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert made["spec"]["volumeMode"] == "Filesystem"
    created = made["metadata"]["creationTimestamp"]
    assert made["status"] == {"phase": "Pending", "lastPhaseTransitionTime": created}


@pytest.mark.parametrize(
    ("status", "since"),
    [
        ({"phase": "Pending"}, "2026-01-01T00:00:00Z"),
        ({"phase": "Available"}, "2026-11-23T12:00:10Z"),
        ({"phase": "Available", "lastPhaseTransitionTime": "2026-01-02T00:00:00Z"}, "2026-01-02T00:00:00Z"),
    ],
)
def test_volume_knows_since_when_it_is_in_its_phase(status: Obj, since: str) -> None:
    old = {"phase": "Pending", "lastPhaseTransitionTime": "2026-01-01T00:00:00Z"}
    write = PERSISTENT_VOLUME.status_writes["status"]
    assert write({**old, **status}, old, NOW)["lastPhaseTransitionTime"] == since


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ({"nfs": None}, ["spec: Required value: must specify a volume type"]),
        ({"hostPath": {"path": "/x"}}, ["spec.hostPath: Forbidden: may not specify more than 1 volume type"]),
        ({"accessModes": []}, ["spec.accessModes: Required value"]),
        (
            {"capacity": {}},
            ["spec.capacity: Required value", 'spec.capacity: Unsupported value: null: supported values: "storage"'],
        ),
        (
            {"capacity": {"storage": "-1"}},
            [
                "spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
                'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
            ],
        ),
        ({"capacity": {"storage": "0"}}, ['spec.capacity[storage]: Invalid value: "0": must be greater than zero']),
        ({"nfs": {"server": "s", "path": "x"}}, ['spec.nfs.path: Invalid value: "x": must be an absolute path']),
        (
            {"nfs": {"server": ""}},
            [
                "spec.nfs.server: Required value",
                "spec.nfs.path: Required value",
                'spec.nfs.path: Invalid value: "": must be an absolute path',
            ],
        ),
        ({"nfs": None, "gcePersistentDisk": {"pdName": ""}}, ["spec.gcePersistentDisk.pdName: Required value"]),
        (
            {"nfs": None, "hostPath": {"path": "/x", "type": "Dir"}},
            [
                'spec.hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", '
                '"Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'
            ],
        ),
        (
            {"nfs": None, "local": {"path": "/x"}},
            ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
        (
            {"nfs": None, "hostPath": {"path": "/x/.."}, "persistentVolumeReclaimPolicy": "Recycle"},
            [
                "spec.hostPath.path: Invalid value: \"/x/..\": must not contain '..'",
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
            ],
        ),
        (
            {"nodeAffinity": {}},
            ["spec.nodeAffinity.required: Required value: must specify required node constraints"],
        ),
        (
            {"nodeAffinity": {"required": {"nodeSelectorTerms": []}}},
            ["spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term"],
        ),
        ({"volumeMode": "Raw"}, ['spec.volumeMode: Unsupported value: "Raw": supported values: "Block", "Filesystem"']),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadOnlyMany"]},
            ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
        ),
        (
            {"nfs": None, "csi": {"nodeStageSecretRef": {}, "nodePublishSecretRef": {"namespace": "a.b"}}},
            [
                "spec.csi.driver: Required value",
                "spec.csi.nodePublishSecretRef.name: Required value",
                f'spec.csi.nodePublishSecretRef.namespace: Invalid value: "a.b": {dns_label("a.b")[0]}',
                "spec.csi.volumeHandle: Required value",
            ],
        ),
        (
            {"nfs": None, "csi": {"driver": "d" * 64, "volumeHandle": "h"}},
            ["spec.csi.driver: Too long: may not be more than 63 bytes"],
        ),
    ],
)
def test_wrong_volume_is_refused(cluster, refused, spec: Obj, messages: list[str]) -> None:
    assert refused(lambda: cluster.create(PERSISTENT_VOLUME, volume(**spec))) == messages


def test_volume_keeps_its_source(cluster, refused) -> None:
    old = cluster.create(PERSISTENT_VOLUME, volume())
    write = lambda: cluster.update(PERSISTENT_VOLUME, old, lambda new: new["spec"]["nfs"].update(path="/y"))  # noqa: E731
    assert refused(write) == [
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
    ]
    assert cluster.update(PERSISTENT_VOLUME, old, lambda new: new["spec"].update(claimRef={"name": "data"}))


def test_volume_keeps_its_mode_and_the_nodes_that_it_once_named(cluster, refused) -> None:
    terms = [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
    near = {"required": {"nodeSelectorTerms": terms}}
    old = cluster.create(PERSISTENT_VOLUME, volume())
    placed = cluster.update(PERSISTENT_VOLUME, old, lambda new: new["spec"].update(nodeAffinity=near))
    (mode,) = refused(
        lambda: cluster.update(PERSISTENT_VOLUME, old, lambda new: new["spec"].update(volumeMode="Block"))
    )
    assert mode == 'volumeMode: Invalid value: "Block": field is immutable'
    (moved,) = refused(lambda: cluster.update(PERSISTENT_VOLUME, placed, lambda new: new["spec"].pop("nodeAffinity")))
    text = "field is immutable, except for updating from beta label to GA"
    assert moved == f"nodeAffinity: Invalid value: null: {text}"


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone", True),
        ("beta.kubernetes.io/arch", "kubernetes.io/arch", True),
        ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone", False),
        ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/region", False),
        ("disk", "rack", False),
    ],
)
def test_volumes_beta_labels_may_become_the_stable_ones(
    cluster, refused, before: str, after: str, allowed: bool
) -> None:
    def near(key: str) -> Obj:
        return {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "Exists"}]}]}}

    old = cluster.create(PERSISTENT_VOLUME, volume(nodeAffinity=near(before)))
    write = lambda: cluster.update(PERSISTENT_VOLUME, old, lambda new: new["spec"].update(nodeAffinity=near(after)))  # noqa: E731
    if allowed:
        assert write()["spec"]["nodeAffinity"] == near(after)
    else:
        assert len(refused(write)) == 1


def test_secret_to_expand_with_may_be_named_later_but_once(cluster, refused) -> None:
    def naming(name: str):
        return lambda new: new["spec"]["csi"].update(controllerExpandSecretRef={"name": name, "namespace": "n"})

    old = cluster.create(PERSISTENT_VOLUME, volume(nfs=None, csi={"driver": "d", "volumeHandle": "h"}))
    named = cluster.update(PERSISTENT_VOLUME, old, naming("s"))
    assert named["spec"]["csi"]["controllerExpandSecretRef"]["name"] == "s"
    text = "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
    assert refused(lambda: cluster.update(PERSISTENT_VOLUME, named, naming("t"))) == [text]


def test_volume_row_has_the_recorded_cells(cluster, now) -> None:
    made = cluster.create(
        PERSISTENT_VOLUME,
        volume(
            persistentVolumeReclaimPolicy="Delete",
            storageClassName="managed-nfs-storage",
            claimRef={"namespace": "default", "name": "test-statefulset-test-0"},
        ),
    )
    made["status"]["phase"] = "Bound"
    row = ["pv0", "100Mi", "RWO", "Delete", "Bound", "default/test-statefulset-test-0", "managed-nfs-storage"]
    assert PERSISTENT_VOLUME.row(made, now) == [*row, "<unset>", "", "10s", "Filesystem"]


def test_volume_row_while_it_is_deleted(cluster, now) -> None:
    made = cluster.create(PERSISTENT_VOLUME, volume())
    made["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    assert PERSISTENT_VOLUME.row(made, now)[4:6] == ["Terminating", ""]


# claims


def test_claim_gets_its_defaults_and_protection(cluster) -> None:
    made = cluster.create(PERSISTENT_VOLUME_CLAIM, claim())
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert made["spec"]["volumeMode"] == "Filesystem"
    assert made["status"] == {"phase": "Pending"}
    assert "storageClassName" not in made["spec"]


@pytest.mark.parametrize(
    ("metadata", "spec", "chosen"),
    [
        ({}, {}, "newer"),
        ({}, {"storageClassName": ""}, ""),
        ({}, {"storageClassName": "mine"}, "mine"),
        ({"annotations": {OLD_CLASS: "managed-nfs-storage"}}, {}, None),
    ],
)
def test_claim_without_a_class_gets_the_newest_default(cluster, metadata: Obj, spec: Obj, chosen: str | None) -> None:
    for name in ("a", "newer"):
        cluster.create(STORAGE_CLASS, storage_class(name))
    cluster.objects["storageclasses"][1]["metadata"]["creationTimestamp"] = "2026-11-23T13:00:00Z"
    wanted = claim(**spec)
    wanted["metadata"] |= metadata
    assert cluster.create(PERSISTENT_VOLUME_CLAIM, wanted)["spec"].get("storageClassName") == chosen


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ({"accessModes": []}, ["spec.accessModes: Required value: at least 1 access mode is required"]),
        (
            {"accessModes": ["RWO"]},
            [
                'spec.accessModes: Unsupported value: "RWO": supported values: "ReadOnlyMany", "ReadWriteMany", '
                '"ReadWriteOnce", "ReadWriteOncePod"'
            ],
        ),
        ({"resources": {}}, ["spec.resources[storage]: Required value"]),
        (
            {"resources": {"requests": {"storage": "-1"}}},
            ['spec.resources[storage]: Invalid value: "-1": must be greater than zero'],
        ),
        (
            {"volumeMode": "Raw"},
            ['spec.volumeMode: Unsupported value: "Raw": supported values: "Block", "Filesystem"'],
        ),
        (
            {"dataSourceRef": {"apiGroup": "a_b", "kind": "K", "name": "n"}},
            [
                f'spec.{field}.apiGroup: Invalid value: "a_b": {dns_subdomain("a_b")[0]}'
                for field in ("dataSource", "dataSourceRef")
            ],
        ),
    ],
)
def test_wrong_claim_is_refused(cluster, refused, spec: Obj, messages: list[str]) -> None:
    assert refused(lambda: cluster.create(PERSISTENT_VOLUME_CLAIM, claim(**spec))) == messages


def test_claim_template_is_checked_at_its_own_path(texts) -> None:
    path = "spec.volumeClaimTemplates[0].spec"
    assert texts(claim_spec_errors(path, claim(accessModes=None)["spec"])) == [
        f"{path}.accessModes: Required value: at least 1 access mode is required"
    ]


IMMUTABLE = (
    "spec: Forbidden: spec is immutable after creation except resources.requests "
    "and volumeAttributesClassName for bound claims"
)


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (lambda new: new["spec"].update(accessModes=["ReadWriteMany"]), [IMMUTABLE]),
        (lambda new: new["spec"].update(volumeName="pv1"), [IMMUTABLE]),
        (lambda new: new["spec"]["resources"].update(requests={"storage": "104857600"}), []),
        (lambda new: new["spec"]["resources"].update(requests={"storage": "200Mi"}), []),
        (
            lambda new: new["spec"]["resources"].update(requests={"storage": "50Mi"}),
            ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
        ),
        (lambda new: new["metadata"].update(labels={"a": "b"}), []),
    ],
)
def test_bound_claim_may_only_grow(cluster, refused, change, messages: list[str]) -> None:
    cluster.create(STORAGE_CLASS, storage_class("c", allowVolumeExpansion=True))
    old = cluster.create(PERSISTENT_VOLUME_CLAIM, claim())
    bound(old)
    assert refused(lambda: cluster.update(PERSISTENT_VOLUME_CLAIM, old, change)) == messages


ANNOTATED = 'metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: "{}": field is immutable'


@pytest.mark.parametrize(
    ("annotation", "field", "messages"),
    [
        ("slow", None, []),
        ("slow", "slow", []),
        (None, "slow", []),
        (None, None, [ANNOTATED.format("")]),
        ("fast", None, [ANNOTATED.format("fast")]),
        ("slow", "fast", [IMMUTABLE]),
        (None, "fast", [ANNOTATED.format(""), IMMUTABLE]),
    ],
)
def test_claim_of_an_annotated_class_may_name_it_in_the_field(
    cluster, refused, annotation: str | None, field: str | None, messages: list[str]
) -> None:
    wanted = claim()
    wanted["metadata"]["annotations"] = {OLD_CLASS: "slow"}
    old = cluster.create(PERSISTENT_VOLUME_CLAIM, wanted)

    def change(new: Obj) -> None:
        new["metadata"]["annotations"] = {OLD_CLASS: annotation} if annotation else {}
        new["spec"] |= {"storageClassName": field} if field else {}

    assert refused(lambda: cluster.update(PERSISTENT_VOLUME_CLAIM, old, change)) == messages


def test_claim_keeps_its_class_and_its_mode(cluster, refused) -> None:
    old = cluster.create(PERSISTENT_VOLUME_CLAIM, claim(storageClassName="slow"))
    for change in (
        lambda new: new["spec"].pop("storageClassName"),
        lambda new: new["spec"].update(storageClassName=""),
        lambda new: new["spec"]["resources"].update(requests={"storage": "50Mi"}),
    ):
        assert refused(lambda: cluster.update(PERSISTENT_VOLUME_CLAIM, old, change))[0] == IMMUTABLE  # noqa: B023
    raw = lambda new: new["spec"].update(volumeMode="Block")  # noqa: E731
    assert refused(lambda: cluster.update(PERSISTENT_VOLUME_CLAIM, old, raw)) == [
        IMMUTABLE,
        'volumeMode: Invalid value: "Block": field is immutable',
    ]


def test_binder_may_name_the_volume_and_the_class_once(cluster) -> None:
    old = cluster.create(PERSISTENT_VOLUME_CLAIM, claim())
    named = cluster.update(PERSISTENT_VOLUME_CLAIM, old, lambda new: new["spec"].update(storageClassName="c"))
    assert cluster.update(PERSISTENT_VOLUME_CLAIM, named, lambda new: new["spec"].update(volumeName="pv0"))


def test_growth_needs_a_bound_claim_of_a_class_that_allows_it(cluster, refused) -> None:
    cluster.create(STORAGE_CLASS, storage_class("c"))
    old = cluster.create(PERSISTENT_VOLUME_CLAIM, claim())

    def grow() -> object:
        return cluster.update(
            PERSISTENT_VOLUME_CLAIM, old, lambda new: new["spec"]["resources"].update(requests={"storage": "1Gi"})
        )

    assert refused(grow) == [
        'persistentvolumeclaims "data" is forbidden: Only bound persistent volume claims can be expanded'
    ]
    bound(old)
    assert refused(grow) == [
        'persistentvolumeclaims "data" is forbidden: only dynamically provisioned pvc can be resized and '
        "the storageclass that provisions the pvc must support resize"
    ]


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        ({"capacity": {"storage": "1Gi"}, "allocatedResources": {"storage": "2Gi", "example.com/x": "1"}}, []),
        ({"allocatedResourceStatuses": {"storage": "NodeResizePending", "example.com/x": "NodeResizeInfeasible"}}, []),
        (
            {"capacity": {"storage": "-1Gi"}},
            ["status.capacity[storage]: Invalid value: -1073741824: must be a valid resource quantity"],
        ),
        (
            {"allocatedResourceStatuses": {"storage": "NoSuch"}},
            [
                'status.allocatedResourceStatus: Unsupported value: "storage": supported values: '
                '"ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", '
                '"NodeResizeInfeasible", "NodeResizePending"'
            ],
        ),
        (
            {"allocatedResources": {"cpu": "1", "storage": "-1"}},
            [
                'status.allocatedResources: Unsupported value: "cpu": supported values: "storage"',
                "status.allocatedResources[storage]: Invalid value: -1: must be a valid resource quantity",
            ],
        ),
    ],
)
def test_status_of_a_claim_names_amounts_and_states_that_there_are(status, wrong) -> None:
    rules = PERSISTENT_VOLUME_CLAIM.subresource_rules["status"]
    assert [str(error) for error in rules({**claim(), "status": status}, claim())] == wrong


def test_old_class_annotation_warns_as_upstream_does(cluster) -> None:
    wanted = claim()
    wanted["metadata"]["annotations"] = {OLD_CLASS: "managed-nfs-storage"}
    made = cluster.create(PERSISTENT_VOLUME_CLAIM, wanted)
    assert PERSISTENT_VOLUME_CLAIM.warnings(made) == [
        "metadata.annotations[volume.beta.kubernetes.io/storage-class]: "
        'deprecated since v1.8; use "storageClassName" attribute instead'
    ]


def test_claim_row_has_the_recorded_cells(cluster, now) -> None:
    wanted = claim()
    wanted["metadata"]["annotations"] = {OLD_CLASS: "managed-nfs-storage"}
    made = cluster.create(PERSISTENT_VOLUME_CLAIM, wanted)
    rest = ["managed-nfs-storage", "<unset>", "10s", "Filesystem"]
    assert PERSISTENT_VOLUME_CLAIM.row(made, now) == ["data", "Pending", "", "", "", *rest]
    bound(made)
    assert PERSISTENT_VOLUME_CLAIM.row(made, now) == ["data", "Bound", "pv0", "100Mi", "RWO", *rest]
    made["status"]["phase"] = "Lost"
    assert PERSISTENT_VOLUME_CLAIM.row(made, now)[1] == "Lost"
    made["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    assert PERSISTENT_VOLUME_CLAIM.row(made, now)[1] == "Terminating"


def test_where_a_claims_data_comes_from_is_told_in_both_fields(cluster) -> None:
    snapshot = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}
    for field in ("dataSource", "dataSourceRef"):
        made = cluster.create(PERSISTENT_VOLUME_CLAIM, claim(**{field: snapshot}))
        assert made["spec"]["dataSource"] == made["spec"]["dataSourceRef"] == snapshot
    foreign = {"apiGroup": "example.com", "kind": "Backup", "name": "b"}
    assert "dataSource" not in cluster.create(PERSISTENT_VOLUME_CLAIM, claim(dataSource=foreign))["spec"]


def test_a_claims_data_comes_from_a_claim_of_the_default_group_alone(texts) -> None:
    errors = texts(claim_spec_errors("spec", claim(dataSourceRef={"kind": "Secret", "name": ""})["spec"]))
    assert errors == [
        "spec.dataSourceRef.name: Required value",
        "spec.dataSourceRef: Invalid value: \"Secret\": must be 'PersistentVolumeClaim' when referencing the default "
        "apiGroup",
    ]


# classes


def test_class_gets_its_defaults_and_shows_that_it_is_the_default(cluster, now) -> None:
    made = cluster.create(STORAGE_CLASS, storage_class("managed-nfs-storage"))
    assert STORAGE_CLASS.row(made, now) == [
        "managed-nfs-storage (default)",
        "p",
        "Delete",
        "Immediate",
        False,
        "10s",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {"a": "b"}}, "parameters: Forbidden: updates to parameters are forbidden."),
        ({"provisioner": "q"}, "provisioner: Forbidden: updates to provisioner are forbidden."),
        ({"reclaimPolicy": "Retain"}, "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden."),
        (
            {"volumeBindingMode": "WaitForFirstConsumer"},
            'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
        ),
    ],
)
def test_class_keeps_what_volumes_were_made_with(cluster, refused, change: Obj, message: str) -> None:
    old = cluster.create(STORAGE_CLASS, storage_class("c"))
    assert refused(lambda: cluster.update(STORAGE_CLASS, old, lambda new: new.update(change))) == [message]


def test_class_needs_a_provisioner(cluster, refused) -> None:
    assert refused(lambda: cluster.create(STORAGE_CLASS, storage_class("c", provisioner=""))) == [
        "provisioner: Required value"
    ]


def test_class_names_topologies_that_can_be(cluster, refused) -> None:
    zone = {"key": "topology.kubernetes.io/zone", "values": ["a", "b"]}
    terms = [
        {"matchLabelExpressions": [zone]},
        {"matchLabelExpressions": [zone]},
        {"matchLabelExpressions": [{"key": "disk", "values": []}, {"key": "disk", "values": ["x", "x"]}]},
        {"matchLabelExpressions": [{"key": "a b", "values": ["x"]}]},
    ]
    wrong = storage_class("c", allowedTopologies=terms, parameters={"": "x"})
    *others, of_key = refused(lambda: cluster.create(STORAGE_CLASS, wrong))
    assert others == [
        'parameters: Invalid value: "": field can not be empty.',
        'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""',
        "allowedTopologies[2].matchLabelExpressions[0].values: Required value",
        'allowedTopologies[2].matchLabelExpressions[1].values[1]: Duplicate value: "x"',
        'allowedTopologies[2].matchLabelExpressions[1].key: Duplicate value: "disk"',
    ]
    assert of_key.startswith('allowedTopologies[3].matchLabelExpressions[0].key: Invalid value: "a b": ')
