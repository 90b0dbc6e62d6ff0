"""`kubectl describe` of every kind: what the server gives it is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubectl.shell import Shell, every_version, newest_version

KINDS = Path(__file__).with_name("kinds.yaml")

DESCRIBED = {
    "pod web-0": ["Controlled By:  StatefulSet/web", "ClaimName:  data-web-0", "Started container httpd"],
    "statefulset web": ["Replicas:           2 desired | 2 total", "SuccessfulCreate"],
    "deployment hello": ["1 desired | 1 updated | 1 total | 1 available | 0 unavailable", "ScalingReplicaSet"],
    "replicaset -l app=hello": ["Controlled By:  Deployment/hello"],
    "service web": ["Selector: app=web", "Endpoints:"],
    "endpoints web": ["http  80    TCP"],
    "endpointslices -l kubernetes.io/service-name=web": ["AddressType:  IPv4"],
    "pvc data-web-0": ["Status: Bound", "Used By: web-0"],
    "pv": ["Reclaim Policy: Delete", "Status: Bound"],
    "sc": ["Provisioner: fuseim.pri/ifs"],
    "node": ["Conditions:", "Non-terminated Pods:", "web-0"],
    "namespace default": ["Status: Active"],
    "configmap settings": ["colour:", "blue"],
    "secret password": ["word: 4 bytes"],
    "serviceaccount default": ["Name: default"],
    "controllerrevision": ["Kind: StatefulSet"],
}


@every_version
@pytest.mark.parametrize("target", DESCRIBED, ids=lambda text: text.split()[0])
def test_describe(shared: Shell, target: str) -> None:
    if target.startswith("endpointslices") and shared.minor < 21:
        assert "NotFound" in shared.fails(f"describe {target}")  # it asks for their beta
        return
    shown = " ".join(shared.ok(f"describe {target}").split())
    missing = [part for part in DESCRIBED[target] if " ".join(part.split()) not in shown]
    assert missing == [], shown


# In the newest kubectl's layout.
OF_KINDS = {
    "cronjob nightly": ["Schedule: 0 3 * * *", "Concurrency Policy: Allow", "Suspend: True", "Active Jobs: <none>"],
    "job paused": ["Completion Mode: NonIndexed", "Suspend: true", "Backoff Limit: 6", "Job suspended"],
    "daemonset nowhere": ["Node-Selector: kind=none", "Current Number of Nodes Scheduled: 0", "Misscheduled: 0"],
    "rc old": ["Selector: app=old", "Replicas: 0 current / 0 desired"],
    "podtemplate cast": ["Kind: PodTemplate", "Dns Policy: ClusterFirst"],
    "hpa grows": ["<unknown> / 70%", "Min replicas: 1", "AbleToScale False FailedGetScale"],
    "pdb budget": ["Min available: 1", "Desired: 1", "No matching pods found"],
    "ingress door": ["example.com / none:80", "Ingress Class: <none>"],
    "networkpolicy closed": ["Selected pods are isolated for ingress connectivity", "Not affecting egress traffic"],
    "quota quota": ["Scopes: NotBestEffort", "count/widgets.example.com 0 3", "requests.cpu 0 2"],
    "limits bounds": ["PersistentVolumeClaim storage 1Mi 5Gi"],
    "role reader": ["pods [] [] [get list]"],
    "rolebinding readers": ["Kind: Role Name: reader", "User eve"],
    "lease held": ["Holder Identity: me", "Lease Duration Seconds: 30"],
    "namespace": ["Resource Quotas", "Resource Limits"],
    "priorityclass system-node-critical": ["Value: 2000001000"],
    "clusterrole cluster-admin": ["*.* [] [] [*]", "[*] [] [*]"],
    "clusterrolebinding cluster-admin": ["Kind: ClusterRole", "system:masters"],
}


@newest_version
def test_describe_of_kinds_without_containers(shell: Shell) -> None:
    shell.ok(f"apply -f {KINDS}")
    shell.eventually(lambda: "FailedGetScale" in shell.ok("describe hpa grows"))
    shell.eventually(lambda: "Hard" in shell.ok("describe quota quota"))
    for target, parts in OF_KINDS.items():
        named = target if " " in target else f"{target} {shell.view.namespace}"
        shown = " ".join(shell.run(f"describe {named}").stdout.split())
        assert [part for part in parts if part not in shown] == [], shown
