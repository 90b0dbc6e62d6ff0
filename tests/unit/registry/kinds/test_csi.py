"""CSIDrivers, CSINodes, CSIStorageCapacities and VolumeAttachments: what storage drivers bring."""

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.kinds.csi import CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY, VOLUME_ATTACHMENT
from tests.unit.registry.kinds.conftest import NOW


def test_a_driver_gets_its_defaults(cluster) -> None:
    made = cluster.create(CSI_DRIVER, {"metadata": {"name": "csi.example.com"}})
    assert made["spec"] == {
        "attachRequired": True,
        "podInfoOnMount": False,
        "storageCapacity": False,
        "requiresRepublish": False,
        "seLinuxMount": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "volumeLifecycleModes": ["Persistent"],
    }
    assert CSI_DRIVER.row(made, NOW)[1:7] == [True, False, False, "<unset>", False, "Persistent"]


@pytest.mark.parametrize(
    ("kind", "obj", "messages"),
    [
        (
            CSI_DRIVER,
            {"spec": {"fsGroupPolicy": "Some", "tokenRequests": [{"audience": "", "expirationSeconds": 60}]}},
            [
                'spec.fsGroupPolicy: Unsupported value: "Some": supported values: "File", "None", '
                '"ReadWriteOnceWithFSType"',
                "spec.tokenRequests[0].expirationSeconds: Invalid value: 60: "
                "may not specify a duration less than 10 minutes",
            ],
        ),
        (CSI_NODE, {"spec": {"drivers": [{"name": "d"}]}}, ["spec.drivers[0].nodeID: Required value"]),
        (
            CSI_NODE,
            {"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": ["zone", "zone"]}]}},
            ['spec.drivers[0]: Duplicate value: "zone"'],
        ),
        (
            VOLUME_ATTACHMENT,
            {
                "spec": {
                    "attacher": "a",
                    "nodeName": "n",
                    "source": {"persistentVolumeName": "pv0", "inlineVolumeSpec": {}},
                }
            },
            ["spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName"],
        ),
        (CSI_STORAGE_CAPACITY, {"capacity": "1Gi"}, ["storageClassName: Required value"]),
        (
            VOLUME_ATTACHMENT,
            {"spec": {"attacher": "a", "nodeName": "n", "source": {}}},
            ["spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"],
        ),
    ],
)
def test_what_is_wrong_with_a_drivers_object_is_told(cluster, texts, kind: Kind, obj: Obj, messages: list[str]) -> None:
    made = {"metadata": {"name": "x"}, **obj}
    kind.default(made)
    assert texts(kind.validate(made, None)) == messages


def test_what_a_driver_said_of_itself_is_final(cluster, texts) -> None:
    driver = cluster.create(CSI_DRIVER, {})
    changed = {**driver, "spec": {**driver["spec"], "attachRequired": False, "podInfoOnMount": True}}
    assert texts(CSI_DRIVER.validate(changed, driver)) == [
        "spec.attachedRequired: Invalid value: false: field is immutable"
    ]
    spec = {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "pv0"}}
    attachment = cluster.create(VOLUME_ATTACHMENT, {"spec": spec})
    assert attachment["status"] == {"attached": False}
    moved = {**attachment, "spec": {**spec, "nodeName": "m"}}
    (error,) = texts(VOLUME_ATTACHMENT.validate(moved, attachment))
    assert error.startswith("spec: Invalid value: ")
    assert error.endswith(": field is immutable")
