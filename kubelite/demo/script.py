"""The steps of the walk-through, in the notes' order (their sections 3 to 6).

Each step types commands and checks the answers; the first that differs from the notes ends the demo.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Address
from pathlib import Path

from kubelite.cli.apply import refused
from kubelite.cli.client import Obj
from kubelite.cli.daily import PodEvent
from kubelite.config import Settings
from kubelite.demo import expect
from kubelite.demo.shell import Shell
from kubelite.manifests.check import check
from kubelite.manifests.document import read

SET = "statefulset-test"
PODS = tuple(f"{SET}-{ordinal}" for ordinal in range(3))
CLAIMS = tuple(f"test-{pod}" for pod in PODS)
SELECTOR = "app=headless-pod"
_NOTES_ADDRESS = "10.254.33.250"


@dataclass(frozen=True, slots=True)
class Demo:
    """`directory` holds the manifests, so that the user can go on with them."""

    settings: Settings
    shell: Shell
    directory: Path

    def run(self) -> None:
        self._clean()
        for step in (
            self._cluster,
            self._service,
            self._headless_service,
            self._stateful_set,
            self._names,
            self._deleted_pod,
            self._scaling,
            self._volumes,
            self._files,
            self._kept_files,
            self._wrong_manifest,
        ):
            step()

    # before

    def write_manifests(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for entry in resources.files("kubelite.demo").iterdir():
            if entry.name.endswith(".yaml"):
                text = entry.read_text().replace(_NOTES_ADDRESS, str(self._service_address))
                (self.directory / entry.name).write_text(text)

    @property
    def _service_address(self) -> IPv4Address:
        """The notes' own where the cluster has the notes' range, else the same place in its own."""
        chosen = self.settings.service_cidr
        notes = IPv4Address(_NOTES_ADDRESS)
        return notes if notes in chosen else chosen[(int(notes) & 0xFFFF) % chosen.num_addresses]

    def _clean(self) -> None:
        """What an earlier run left."""
        objects = {
            "statefulset": [SET],
            "deployment": ["headless-test", "httpd-app"],
            "service": ["httpd-svc", "headless-svc"],
            "pod": ["tools", *PODS],
            "pvc": CLAIMS,
        }
        for kind, names in objects.items():
            self.shell.quietly(f"kubectl delete {kind} {' '.join(names)} --ignore-not-found")
        self.shell.quietly(f"kubectl wait --for=delete pod -l {SELECTOR}")

    def _pods(self) -> list[Obj]:
        return self.shell.client.items("/api/v1/namespaces/default/pods", {"labelSelector": SELECTOR})

    def _uids(self) -> dict[str, str]:
        return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in self._pods()}

    def _names_by_address(self) -> dict[str, str]:
        return {pod["status"]["podIP"]: pod["metadata"]["name"] for pod in self._pods()}

    # section 3

    def _cluster(self) -> None:
        self.shell.title("The cluster has DNS and a storage class that provisions volumes (notes, section 3)")
        expect.matches(self.shell.typed("kubectl get sc"), "managed-nfs-storage")
        address = re.escape(str(self.settings.dns_service_address))
        answer = self.shell.typed("kubectl get svc -n kube-system")
        expect.matches(answer, rf"kube-dns ClusterIP {address} <none> 53/UDP,53/TCP")

    # section 4

    def _service(self) -> None:
        self.shell.title("A Service has one address (section 4)")
        self.shell.typed("kubectl apply -f httpd-svc.yaml -f httpd-app.yaml -f tools.yaml")
        self.shell.typed("kubectl rollout status deployment/httpd-app")
        service = re.escape(str(self._service_address))
        own = re.escape(str(self.settings.kubernetes_service_address))
        expect.matches(
            self.shell.typed("kubectl get svc"),
            rf"httpd-svc NodePort {service} <none> 80:8768/TCP",
            rf"kubernetes ClusterIP {own} <none> 443/TCP",
        )
        expect.matches(
            self.shell.typed("kubectl describe svc httpd-svc"),
            "Selector: app=httpd-app",
            "Type: NodePort",
            "NodePort: <unset> 8768/TCP",
            r"Endpoints: [\d.]+:80",
            "Session Affinity: None",
            "External Traffic Policy: Cluster",
        )
        self.shell.typed("kubectl wait --for=condition=Ready pod/tools")
        found = expect.addresses(self._look_up(f"httpd-svc.default.svc.{self.settings.domain}"))
        expect.holds(found == [str(self._service_address)], f"{found} instead of the Service's one address")

    def _look_up(self, name: str) -> str:
        return self.shell.typed(f"kubectl exec tools -- nslookup {name}")

    def _headless_service(self) -> None:
        self.shell.title("A headless Service has the addresses of its pods")
        self.shell.typed("kubectl apply -f headless-svc-test.yaml")
        self.shell.typed("kubectl rollout status deployment/headless-test")
        self._expect_endpoints()
        self._expect_records(lambda address, pod: address.replace(".", "-"))
        self.shell.say("The StatefulSet's pods will carry the same label, so the Deployment makes room:")
        with self.shell.watching(SELECTOR, expect.all_deleted(self._uids())):
            self.shell.typed("kubectl delete deployment headless-test")

    def _expect_endpoints(self) -> None:
        answer = self.shell.typed("kubectl describe svc headless-svc")
        expect.matches(answer, "IP: None", r"Endpoints: [\d.]+:80,[\d.]+:80,[\d.]+:80")
        for address in self._names_by_address():
            expect.matches(answer, re.escape(f"{address}:80"))

    def _expect_records(self, host: Callable[[str, str], str]) -> None:
        """Three addresses, and each has its pod's name; `host` makes it of address and pod."""
        service = f"headless-svc.default.svc.{self.settings.domain}"
        pods = self._names_by_address()
        found = sorted(expect.addresses(self._look_up(service)))
        expect.holds(found == sorted(pods), f"{found} instead of the pods' addresses {sorted(pods)}")
        for address, pod in pods.items():
            expect.matches(self._look_up(address), re.escape(f"name = {host(address, pod)}.{service}."))

    # section 5

    def _stateful_set(self) -> None:
        self.shell.title("A StatefulSet's pods are created one by one, each when the one before is ready (section 5)")
        with self.shell.watching(SELECTOR, expect.all_ready(PODS)) as events:
            self.shell.typed("kubectl apply -f statefulset-test.yaml")
        expect.one_by_one(events, PODS)
        answer = self.shell.typed("kubectl get pod -o wide")
        expect.matches(answer, "NAME READY STATUS RESTARTS AGE IP NODE")
        expect.matches(answer, *(rf"{pod} 1/1 Running 0 \S+ [\d.]+ {self.settings.node_name}" for pod in PODS))

    def _names(self) -> None:
        self.shell.title("Each has its name: as host name, and in DNS")
        for pod in PODS:
            self._expect_host_name(pod)
        self._expect_endpoints()
        self._expect_records(lambda address, pod: pod)
        for address, pod in self._names_by_address().items():
            answer = self._look_up(f"{pod}.headless-svc.default.svc.{self.settings.domain}")
            expect.holds(expect.addresses(answer) == [address], f"{pod} does not resolve to {address}")

    def _expect_host_name(self, pod: str) -> None:
        answer = self.shell.typed(f"kubectl exec {pod} -- hostname")
        expect.holds(answer.strip() == pod, f"the host name of {pod} is {answer.strip()}")

    def _deleted_pod(self) -> None:
        self.shell.title("A deleted pod comes back under its name; the others are left alone")
        before = self._uids()
        with self.shell.watching(SELECTOR, _replaced(PODS[:1])) as events:
            self.shell.typed(f"kubectl delete pod {PODS[0]}")
        expect.untouched(events, PODS[1:])
        after = self._uids()
        expect.holds(after[PODS[0]] != before[PODS[0]], f"{PODS[0]} is still the old pod")
        self._expect_host_name(PODS[0])

    def _scaling(self) -> None:
        self.shell.title("Scaling down takes the last pod first, and up again in order")
        self._edit("replicas: 3", "replicas: 1")
        last_first = list(reversed(PODS[1:]))
        with self.shell.watching(SELECTOR, expect.all_deleted(PODS[1:])) as events:
            self._apply_set()
        expect.one_goes_after_the_other(events, last_first)
        self._edit("replicas: 1", "replicas: 3")
        with self.shell.watching(SELECTOR, expect.all_ready(PODS[1:])) as events:
            self._apply_set()
        expect.one_by_one(events, PODS[1:])
        self._expect_host_name(PODS[2])

    def _edit(self, old: str, new: str) -> None:
        path = self.directory / "statefulset-test.yaml"
        path.write_text(path.read_text().replace(old, new))
        self.shell.shown(f"sed -i 's/{old}/{new}/' {path.name}", "")

    def _apply_set(self) -> None:
        answer = self.shell.typed("kubectl apply -f statefulset-test.yaml")
        expect.matches(answer, "service/headless-svc unchanged", f"statefulset.apps/{SET} configured")

    # section 6

    def _volumes(self) -> None:
        self.shell.title("With volumeClaimTemplates each pod has a volume of its own (section 6)")
        with self.shell.watching(SELECTOR, expect.all_deleted(PODS)):
            self.shell.typed(f"kubectl delete statefulset {SET}")
        with self.shell.watching(SELECTOR, expect.all_ready(PODS)) as events:
            self.shell.typed("kubectl apply -f statefulset-pvc-test.yaml")
        expect.one_by_one(events, PODS)
        answer = self.shell.typed("kubectl get pv,pvc")
        for claim in CLAIMS:
            expect.matches(
                answer,
                rf"persistentvolume/pvc-\S+ 100Mi RWO Delete Bound default/{claim} managed-nfs-storage",
                rf"persistentvolumeclaim/{claim} Bound pvc-\S+ 100Mi RWO managed-nfs-storage",
            )
        there = sorted(path.name for path in self.settings.volumes.glob("default-test-*"))
        self.shell.shown(f"ls {self.settings.volumes} | grep ^default-test-", "\n".join(there))
        wanted = sorted(path.name for path in self._directories().values())
        expect.holds(there == wanted, f"{there} are not one directory for each claim")
        for pod in PODS:
            self._expect_claim(pod)

    def _directories(self) -> dict[str, Path]:
        """The directory of each pod's claim, found by its name as the notes find it."""
        found = {}
        for pod in PODS:
            paths = list(self.settings.volumes.glob(f"default-test-{pod}-pvc-*"))
            expect.holds(len(paths) == 1, f"{len(paths)} directories for the claim of {pod}")
            found[pod] = paths[0]
        return found

    def _expect_claim(self, pod: str) -> None:
        answer = self.shell.typed(f"kubectl describe pod {pod}", _volumes_part)
        kind = r"Type: PersistentVolumeClaim \(a reference to a PersistentVolumeClaim in the same namespace\)"
        expect.matches(answer, rf"test: {kind} ClaimName: test-{pod} ReadOnly: false")

    def _files(self) -> None:
        self.shell.title("What a pod writes is in its own directory on the host")
        for pod, file in zip(PODS[1:], ("t1", "t2"), strict=True):
            self.shell.typed(f"kubectl exec {pod} -- touch /mnt/{file}")
        for (pod, directory), expected in zip(self._directories().items(), ([], ["t1"], ["t2"]), strict=True):
            there = sorted(path.name for path in directory.iterdir())
            self.shell.shown(f"ls {directory}", "  ".join(there))
            expect.holds(there == expected, f"{there} instead of {expected} in the directory of {pod}")

    def _kept_files(self) -> None:
        self.shell.title(
            "The files are there again when the pods come back: deleted, or scaled to nothing and up again"
        )
        before = self._directories()
        with self.shell.watching(SELECTOR, _replaced(PODS[1:])) as events:
            self.shell.typed(f"kubectl delete pod {PODS[1]} {PODS[2]}")
        expect.untouched(events, PODS[:1])
        self._expect_files()
        with self.shell.watching(SELECTOR, expect.all_deleted(PODS)):
            self.shell.typed(f"kubectl scale statefulset/{SET} --replicas=0")
        with self.shell.watching(SELECTOR, expect.all_ready(PODS)):
            self.shell.typed(f"kubectl scale statefulset/{SET} --replicas=3")
        self._expect_files()
        expect.holds(self._directories() == before, "the claims have other directories now")

    def _expect_files(self) -> None:
        for pod, file in zip(PODS[1:], ("t1", "t2"), strict=True):
            self._expect_claim(pod)
            answer = self.shell.typed(f"kubectl exec {pod} -- ls /mnt")
            expect.holds(answer.split() == [file], f"{answer.split()} instead of {file} in {pod}")

    def _wrong_manifest(self) -> None:
        self.shell.title('"Watch the format: one space too many or too few and it fails"')
        path = self.directory / "wrong.yaml"
        text = (self.directory / "statefulset-pvc-test.yaml").read_text().replace(SET, "wrong")
        text = text.replace("serviceName", "serviceNam").replace("          storage:", "        storage:")
        path.write_text(text)
        documents, problems = read(path.name, text.encode())
        problems += [problem for document in documents for problem in check(document)]
        self.shell.shown(f"kubelite apply -f {path.name}", f"error: {refused(problems).message}")
        expect.holds(len(problems) == 2, "two faults are in it")


def _replaced(names: Sequence[str]) -> Callable[[list[PodEvent]], bool]:
    """Each of these pods was deleted, and the one that came in its place is ready."""
    deleted, ready = expect.all_deleted(names), expect.all_ready(names)
    return lambda events: deleted(events) and ready(events)


def _volumes_part(answer: str) -> str:
    found = re.search(r"^Volumes:\n  test:\n(    .*\n)+", answer, re.MULTILINE)
    return f"...\n{found[0]}..." if found else answer
