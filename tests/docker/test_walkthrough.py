"""The notes' walk-through: what they type, on real containers, with the oldest and the newest kubectl of the machine.

Every test starts from a namespace without the notes' objects. The DNS server is asked at its pod's address.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from kubelite.objects import meta
from kubelite.testing.cluster import Cluster
from tests import kubectls
from tests.docker.notes import DOMAIN, ORDINALS, SET, Notes, Seen, first, gone, latest, ready_count, statuses
from tests.kubectls import Kubectl

DEFAULT = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
CLAIMS = tuple(f"test-{name}" for name in ORDINALS)
FORCE = {"gracePeriodSeconds": 0}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kubectl" in metafunc.fixturenames:
        programs = list(dict.fromkeys((kubectls.newest(), kubectls.found()[0])))
        metafunc.parametrize("kubectl", programs, ids=[program.label for program in programs], scope="module")


@pytest.fixture(scope="module")
def tools(kubelite_cluster: Cluster) -> Iterator[None]:
    """Any pod of the namespace default, to look names up in."""
    manifest = Path(__file__).parents[2] / "kubelite/demo/tools.yaml"
    with closing(kubelite_cluster.namespace("default")) as view:
        view.apply(manifest)
        view.wait("pods", "tools")
        yield
        view.client.request("DELETE", f"{DEFAULT}/pods/tools", FORCE)


@pytest.fixture
def notes(kubelite_cluster: Cluster, kubectl: Kubectl, tools: None, tmp_path: Path) -> Iterator[Notes]:
    with closing(kubelite_cluster.namespace("default")) as view:
        made = Notes(view, kubectl, tmp_path)
        yield made
        clear(made)


def clear(notes: Notes) -> None:
    """Take away all that the notes make."""
    client = notes.view.client
    for path in (f"{APPS}/deployments", f"{APPS}/statefulsets"):
        client.request("DELETE", path)
    for service in ("headless-svc", "httpd-svc"):
        if client.find(f"{DEFAULT}/services/{service}"):
            client.request("DELETE", f"{DEFAULT}/services/{service}")
    client.request("DELETE", f"{DEFAULT}/pods", FORCE, query={"labelSelector": "app"})
    for pod in notes.pods():
        notes.view.wait("pods", meta.name(pod), "deleted")
    client.request("DELETE", f"{DEFAULT}/persistentvolumeclaims")
    for volume in client.items("/api/v1/persistentvolumes"):
        if volume["spec"]["claimRef"]["namespace"] == "default":
            notes.view.wait("persistentvolumes", meta.name(volume), "deleted")


# Section 3: what the cluster has.


def test_cluster_has_a_storage_class_and_dns(notes: Notes) -> None:
    classes = notes.kubectl("get sc")
    assert re.search(r"^managed-nfs-storage \(default\) +fuseim.pri/ifs +Delete +Immediate", classes, re.MULTILINE)
    service = next(row for row in notes.table("get svc -n kube-system") if row[0] == "kube-dns")
    assert service[:5] == ["kube-dns", "ClusterIP", notes.service_address("0.2"), "<none>", "53/UDP,53/TCP"]


# Section 4: a Service and a headless one.


def test_services_are_listed_with_address_and_node_port(notes: Notes) -> None:
    before = notes.table("get svc")
    assert [row[:5] for row in before] == [
        ["kubernetes", "ClusterIP", notes.service_address("0.1"), "<none>", "443/TCP"]
    ]
    assert notes.kubectl("apply -f httpd-svc.yaml") == "service/httpd-svc created\n"
    assert [row[:5] for row in notes.table("get svc")] == [
        ["httpd-svc", "NodePort", notes.service_address("33.250"), "<none>", "80:8768/TCP"],
        before[0][:5],
    ]


def test_service_is_described_with_its_endpoints(notes: Notes) -> None:
    notes.kubectl("apply -f httpd-svc.yaml -f httpd-app.yaml")
    notes.view.wait("deployments", "httpd-app")
    (address,) = notes.addresses().values()
    described = notes.described("describe svc httpd-svc")
    expected = {
        "Name": "httpd-svc",
        "Namespace": "default",
        "Labels": "<none>",
        "Selector": "app=httpd-app",
        "Type": "NodePort",
        "IP": notes.service_address("33.250"),
        "Port": "<unset>  80/TCP",
        "TargetPort": "80/TCP",
        "NodePort": "<unset>  8768/TCP",
        "Endpoints": f"{address}:80",
        "Session Affinity": "None",
        "External Traffic Policy": "Cluster",
    }
    assert {key: described.get(key) for key in expected} == expected


def test_service_name_resolves_to_its_one_address(notes: Notes) -> None:
    notes.kubectl("apply -f httpd-svc.yaml")
    address = notes.service_address("33.250")
    answer = notes.nslookup(f"httpd-svc.{DOMAIN}")
    assert re.findall(r"^Address:\s+(\S+)$", answer, re.MULTILINE)[1:] == [address]
    assert notes.resolve(f"httpd-svc.{DOMAIN}") == [address]
    assert notes.reverse(address) == [f"httpd-svc.{DOMAIN}"]


def test_headless_service_is_described_with_every_pod(notes: Notes) -> None:
    typed = notes.kubectl("apply -f headless-svc-test.yaml")
    assert typed == "service/headless-svc created\ndeployment.apps/headless-test created\n"
    notes.view.wait("deployments", "headless-test")
    described = notes.described("describe svc headless-svc")
    expected = {
        "Selector": "app=headless-pod",
        "Type": "ClusterIP",
        "IP": "None",
        "Port": "myweb  80/TCP",
        "TargetPort": "80/TCP",
    }
    assert {key: described.get(key) for key in expected} == expected
    endpoints = described["Endpoints"].split(",")
    assert sorted(endpoints) == sorted(f"{address}:80" for address in notes.addresses().values())
    assert len(endpoints) == 3


def test_headless_service_of_a_deployment_resolves_to_pods_named_by_address(notes: Notes) -> None:
    notes.kubectl("apply -f headless-svc-test.yaml")
    notes.view.wait("deployments", "headless-test")
    addresses = sorted(notes.addresses().values())
    assert len(addresses) == 3
    answer = notes.nslookup(f"headless-svc.{DOMAIN}")
    assert sorted(re.findall(r"^Address:\s+(\S+)$", answer, re.MULTILINE)[1:]) == addresses
    assert notes.resolve(f"headless-svc.{DOMAIN}") == addresses
    for address in addresses:
        name = f"{address.replace('.', '-')}.headless-svc.{DOMAIN}"
        assert notes.reverse(address) == [name]
        assert f"name = {name}." in notes.nslookup(address)


def test_pods_of_a_deployment_have_random_names_and_come_all_at_once(notes: Notes) -> None:
    since = notes.now()
    notes.kubectl("apply -f headless-svc-test.yaml")
    seen = notes.happened(since, ready_count(3))
    names = [event.name for event in latest(seen)]
    assert all(re.fullmatch(r"headless-test-[0-9a-z]+-[0-9a-z]{5}", name) for name in names)
    last_created = max(first(seen, name, lambda event: event.type == "ADDED") for name in names)
    assert last_created < min(first(seen, name, lambda event: event.ready) for name in names)


# Section 5: a StatefulSet.


def assert_created_in_order(seen: Sequence[Seen], names: tuple[str, ...]) -> None:
    """Each only when the one before was Running and Ready."""
    for before, after in pairwise(names):
        assert first(seen, before, lambda event: event.ready) < first(seen, after, lambda event: True), seen


def test_pods_of_a_set_are_created_one_by_one(notes: Notes) -> None:
    since = notes.now()
    typed = notes.kubectl("apply -f statefulset-test.yaml")
    assert typed == "service/headless-svc created\nstatefulset.apps/statefulset-test created\n"
    seen = notes.happened(since, ready_count(3))
    assert [event.name for event in latest(seen)] == list(ORDINALS)
    assert_created_in_order(seen, ORDINALS)

    head, *rows = notes.kubectl("get pod -o wide -l app").splitlines()
    assert head.split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    addresses = notes.addresses()
    for name, row in zip(ORDINALS, map(str.split, rows), strict=True):
        assert row[:4] == [name, "1/1", "Running", "0"]
        assert row[5:7] == [addresses[name], notes.settings.node_name]


def test_pod_of_a_set_has_its_name_for_a_host_name(notes: Notes) -> None:
    notes.ready_set("statefulset-test.yaml")
    for name in ORDINALS:
        assert notes.exec_on_terminal(name, "hostname") == f"{name}\n"


def test_pods_of_a_set_resolve_by_name_and_back(notes: Notes) -> None:
    notes.ready_set("statefulset-test.yaml")
    addresses = notes.addresses()
    answer = notes.nslookup(f"headless-svc.{DOMAIN}")
    assert sorted(re.findall(r"^Address:\s+(\S+)$", answer, re.MULTILINE)[1:]) == sorted(addresses.values())
    for pod, address in addresses.items():
        name = f"{pod}.headless-svc.{DOMAIN}"
        assert notes.resolve(name) == [address]
        assert notes.reverse(address) == [name]
        assert f"name = {name}." in notes.nslookup(address)
    assert addresses["statefulset-test-1"] in notes.kubectl(
        "exec tools -- getent hosts statefulset-test-1.headless-svc"
    )


def test_deleted_pod_comes_back_under_its_name(notes: Notes) -> None:
    notes.ready_set("statefulset-test.yaml")
    before = {meta.name(pod): meta.uid(pod) for pod in notes.pods()}
    since = notes.now()
    assert notes.kubectl("delete pod statefulset-test-0").startswith('pod "statefulset-test-0" deleted')
    seen = notes.happened(since, ready_count(1))
    passing = ("Completed", "Pending")  # its end since Kubernetes 1.31, and the moment before it has a node
    shown = [status for status in statuses(seen, "statefulset-test-0") if status not in passing]
    assert shown == ["Terminating", "ContainerCreating", "Running"]
    assert {event.name for event in seen} == {"statefulset-test-0"}
    after = {meta.name(pod): meta.uid(pod) for pod in notes.pods()}
    assert {name for name in ORDINALS if before[name] != after[name]} == {"statefulset-test-0"}
    assert notes.exec_on_terminal("statefulset-test-0", "hostname") == "statefulset-test-0\n"
    addresses = notes.addresses()
    assert notes.resolve(f"statefulset-test-0.headless-svc.{DOMAIN}") == [addresses["statefulset-test-0"]]


def test_scaled_down_set_loses_the_last_pod_first(notes: Notes) -> None:
    notes.ready_set("statefulset-test.yaml")
    notes.edit("statefulset-test.yaml", "replicas: 3", "replicas: 1")
    since = notes.now()
    typed = notes.kubectl("apply -f statefulset-test.yaml")
    assert typed == "service/headless-svc unchanged\nstatefulset.apps/statefulset-test configured\n"
    seen = notes.happened(since, gone("statefulset-test-1", "statefulset-test-2"))
    two_gone = first(seen, "statefulset-test-2", lambda event: event.type == "DELETED")
    assert two_gone < first(seen, "statefulset-test-1", lambda event: True)
    assert {event.name for event in seen} == {"statefulset-test-1", "statefulset-test-2"}
    assert [row[:3] for row in notes.table("get pod -l app")] == [["statefulset-test-0", "1/1", "Running"]]


def test_scaled_up_set_gets_its_pods_in_order(notes: Notes) -> None:
    notes.edit("statefulset-test.yaml", "replicas: 3", "replicas: 1")
    notes.ready_set("statefulset-test.yaml", replicas=1)
    notes.edit("statefulset-test.yaml", "replicas: 1", "replicas: 3")
    since = notes.now()
    typed = notes.kubectl("apply -f statefulset-test.yaml")
    assert typed == "service/headless-svc unchanged\nstatefulset.apps/statefulset-test configured\n"
    seen = notes.happened(since, ready_count(2))
    assert_created_in_order(seen, ORDINALS[1:])
    assert {event.name for event in seen} == set(ORDINALS[1:])
    for name in ORDINALS:
        assert notes.exec_on_terminal(name, "hostname") == f"{name}\n"


# Section 6: a volume for each pod.


def volumes_of(notes: Notes) -> dict[str, str]:
    """Volume by claim."""
    return {meta.name(claim): claim["spec"]["volumeName"] for claim in notes.view.list("persistentvolumeclaims")}


def directory(notes: Notes, pod: str) -> Path:
    claim = f"test-{pod}"
    return notes.view.volumes / f"default-{claim}-{volumes_of(notes)[claim]}"


def test_every_pod_of_a_set_has_its_own_claim_and_volume(notes: Notes) -> None:
    notes.ready_set("statefulset-pvc-test.yaml")
    volumes, claims = (block.splitlines()[1:] for block in notes.kubectl("get pv,pvc").split("\n\n"))
    bound = volumes_of(notes)
    uids = {meta.name(claim): meta.uid(claim) for claim in notes.view.list("persistentvolumeclaims")}
    assert bound == {claim: f"pvc-{uids[claim]}" for claim in CLAIMS}

    shown = sorted((row.split()[:7] for row in volumes if " default/" in row), key=lambda row: row[5])
    assert shown == [
        [
            f"persistentvolume/{bound[claim]}",
            "100Mi",
            "RWO",
            "Delete",
            "Bound",
            f"default/{claim}",
            "managed-nfs-storage",
        ]
        for claim in CLAIMS
    ]
    assert [row.split()[:6] for row in claims] == [
        [f"persistentvolumeclaim/{claim}", "Bound", bound[claim], "100Mi", "RWO", "managed-nfs-storage"]
        for claim in CLAIMS
    ]


def test_export_directory_has_one_directory_for_each_claim(notes: Notes) -> None:
    notes.ready_set("statefulset-pvc-test.yaml")
    expected = {f"default-{claim}-{volume}" for claim, volume in volumes_of(notes).items()}
    assert len(expected) == 3
    # Other namespaces are other tests'; of claims that were deleted the storage class archives the directories.
    left = {path.name for path in notes.view.volumes.iterdir() if path.name.startswith("default-")}
    assert left == expected


def assert_describes_its_claim(notes: Notes, pod: str) -> None:
    text = notes.kubectl(f"describe pod {pod}")
    described = re.search(
        r"^Volumes:\n  test:\n    Type: +(.*)\n    ClaimName: +(.*)\n    ReadOnly: +(.*)\n", text, re.M
    )
    assert described is not None, text
    kind = "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"
    assert described.groups() == (kind, f"test-{pod}", "false")


def test_pod_is_described_with_its_claim(notes: Notes) -> None:
    notes.ready_set("statefulset-pvc-test.yaml")
    for name in ORDINALS:
        assert_describes_its_claim(notes, name)


def test_file_of_a_pod_is_in_its_claims_directory_only(notes: Notes) -> None:
    notes.ready_set("statefulset-pvc-test.yaml")
    assert notes.exec_on_terminal("statefulset-test-1", "touch /mnt/t1") == ""
    files = {name: sorted(path.name for path in directory(notes, name).iterdir()) for name in ORDINALS}
    assert files == {"statefulset-test-0": [], "statefulset-test-1": ["t1"], "statefulset-test-2": []}


def write_files(notes: Notes) -> dict[str, str]:
    """t1 and t2 as in the notes; the volume of each claim."""
    notes.ready_set("statefulset-pvc-test.yaml")
    for ordinal in (1, 2):
        notes.exec_on_terminal(f"{SET}-{ordinal}", f"touch /mnt/t{ordinal}")
    return volumes_of(notes)


def assert_files_are_there(notes: Notes, volumes: dict[str, str]) -> None:
    for ordinal in (1, 2):
        pod = f"{SET}-{ordinal}"
        assert notes.exec_on_terminal(pod, "ls /mnt") == f"t{ordinal}\n"
        assert notes.exec_on_terminal(pod, "hostname") == f"{pod}\n"
        assert_describes_its_claim(notes, pod)
    assert volumes_of(notes) == volumes


def test_files_outlive_deleted_pods(notes: Notes) -> None:
    volumes = write_files(notes)
    since = notes.now()
    typed = notes.kubectl("delete pod statefulset-test-1 statefulset-test-2").splitlines()
    assert [line.split()[1] for line in typed] == ['"statefulset-test-1"', '"statefulset-test-2"']
    notes.happened(since, ready_count(2))
    assert_files_are_there(notes, volumes)


def test_files_outlive_a_set_scaled_to_none(notes: Notes) -> None:
    volumes = write_files(notes)
    since = notes.now()
    notes.kubectl("scale statefulset statefulset-test --replicas=0")
    notes.happened(since, gone(*ORDINALS))
    assert volumes_of(notes) == volumes
    notes.kubectl("scale statefulset statefulset-test --replicas=3")
    notes.view.wait("statefulsets", SET)
    assert_files_are_there(notes, volumes)


def test_files_outlive_a_deleted_set(notes: Notes) -> None:
    volumes = write_files(notes)
    since = notes.now()
    notes.kubectl("delete -f statefulset-pvc-test.yaml")
    notes.happened(since, gone(*ORDINALS))
    assert volumes_of(notes) == volumes
    notes.ready_set("statefulset-pvc-test.yaml")
    assert_files_are_there(notes, volumes)


# Section 6: "watch the format: one space too many or too few and it fails".

STORAGE = "spec.volumeClaimTemplates[0].spec.resources.requests.storage"


@dataclass(frozen=True)
class Mistake:
    """What is written in place of what; what `kubelite apply` and what kubectl say of it."""

    right: str
    wrong: str
    told: str
    kubectl: str


MISTAKES = {
    "too deep": Mistake("  replicas: 3\n", "    replicas: 3\n", ":22:13: not YAML", "mapping values are not allowed"),
    "not deep enough": Mistake(
        "      containers:",
        "    containers:",
        ':31:5: spec.template.containers: unknown field; "containers" belongs into spec.template.spec',
        "containers",
    ),
    "mistyped field": Mistake(
        "serviceName", "serviceNam", ':21:3: spec.serviceNam: unknown field; did you mean "serviceName"?', "serviceNam"
    ),
    "wrong type": Mistake("replicas: 3", "replicas: three", ":22:3: spec.replicas: must be a whole number", "replicas"),
    "bad quantity": Mistake("100Mi", "100Mb", f":49:11: {STORAGE}: must be a quantity", "quantities must match"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_the_format_is_named_and_nothing_is_created(notes: Notes, mistake: str) -> None:
    made = MISTAKES[mistake]
    manifest = "statefulset-pvc-test.yaml"
    notes.edit(manifest, made.right, made.wrong)
    done = subprocess.run(
        [sys.executable, "-m", "kubelite", "apply", "--name", notes.settings.name, "-f", notes.directory / manifest],
        env={**os.environ, "KUBELITE_HOME": str(notes.settings.home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"{manifest}{made.told}" in done.stderr
    client = notes.view.client
    assert client.find(f"{DEFAULT}/services/headless-svc") is None
    assert client.find(f"{APPS}/statefulsets/{SET}") is None

    refused = notes.view.kubectl("apply", "-f", str(notes.directory / manifest), check=False)
    assert refused.returncode == 1
    assert made.kubectl in refused.stderr
    assert client.find(f"{APPS}/statefulsets/{SET}") is None
