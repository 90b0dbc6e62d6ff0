"""What a pod's manifest asks for, as its containers see it: probes, endings, rights, limits, names, tokens."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from kubelite.engine.images import KUBELITE
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.pki import Authority
from kubelite.testing.namespace import Namespace
from tests.docker import probed
from tests.docker.made_pods import container, create, made, statuses, told
from tests.docker.running_cluster import eventually


def http(port: int | str, scheme: str = "HTTP", **headers: str) -> Obj:
    given = [{"name": name.replace("_", "-"), "value": value} for name, value in headers.items()]
    return {"httpGet": {"port": port, "scheme": scheme, "httpHeaders": given}, "periodSeconds": 1}


def grpc(service: str) -> Obj:
    return {"grpc": {"port": probed.GRPC, "service": service}, "periodSeconds": 1}


def test_probes_ask_by_tcp_with_headers_over_tls_and_by_grpc(kubelite: Namespace, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).server_certificate(["probed.example"])
    made(kubelite, "configmaps", "ConfigMap", "program", data={"probed.py": Path(probed.__file__).read_text()})
    files = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
    made(kubelite, "secrets", "Secret", "tls", type="kubernetes.io/tls", stringData=files)
    right = {"X_Probe": "right", "Host": "probed.example"}
    server = container("server") | {
        "image": KUBELITE,
        "command": ["python3", "/srv/probed.py"],
        "ports": [{"name": "web", "containerPort": probed.HTTP}],
        "volumeMounts": [{"name": "program", "mountPath": "/srv"}, {"name": "tls", "mountPath": str(probed.TLS)}],
        "startupProbe": grpc("db") | {"failureThreshold": 60},
        "readinessProbe": http("web", **right),
        "livenessProbe": http(probed.HTTPS, "HTTPS", **right),
    }
    opened = {"tcpSocket": {"port": probed.HTTP}, "periodSeconds": 1, "failureThreshold": 60}
    bare = container("bare", startupProbe=opened, readinessProbe=http(probed.HTTP))
    unserved = container("unserved", startupProbe=grpc("other") | {"failureThreshold": 60})
    volumes = [{"name": "program", "configMap": {"name": "program"}}, {"name": "tls", "secret": {"secretName": "tls"}}]
    create(kubelite, "probed", server, bare, unserved, volumes=volumes)
    kubelite.wait("pods", "probed", lambda pod: bool(statuses(pod).get("server", {}).get("ready")))
    agent = "kube-probe/1.32 200"
    eventually(lambda: f"{probed.HTTPS} {agent}" in kubelite.logs("probed", "server"))
    assert f"{probed.HTTP} {agent}" in kubelite.logs("probed", "server")
    refusals = {
        "Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 403",
        'Unhealthy Startup probe failed: service unhealthy (responded with "NOT_SERVING")',
    }
    eventually(lambda: refusals <= told(kubelite, "probed"), told=lambda: told(kubelite, "probed"))
    found = statuses(kubelite.get("pods", "probed"))
    assert {name: (entry["ready"], entry["started"]) for name, entry in found.items()} == {
        "server": (True, True),
        "bare": (False, True),
        "unserved": (False, False),
    }


def test_endings_are_told_by_file_by_log_and_by_the_kernel(kubelite: Namespace) -> None:
    from_log = {"terminationMessagePolicy": "FallbackToLogsOnError"}

    def ending(name: str, script: str, **fields: Any) -> Obj:
        return container(name, **fields) | {"command": ["sh", "-c", script]}

    create(
        kubelite,
        "ends",
        ending("file", "echo noise; echo why >/tmp/why; exit 3", terminationMessagePath="/tmp/why", **from_log),
        ending("log", "{ echo noise; echo why; } >&2; exit 4", **from_log),
        ending("fine", "echo noise", **from_log),
        ending("hungry", "exec tail /dev/zero", resources={"limits": {"memory": "16Mi"}}),
        restartPolicy="Never",
    )
    found = kubelite.wait("pods", "ends", lambda pod: pod["status"].get("phase") == "Failed")
    ended = {name: entry["state"]["terminated"] for name, entry in statuses(found).items()}
    assert {name: (end["exitCode"], end["reason"], end.get("message")) for name, end in ended.items()} == {
        "file": (3, "Error", "why\n"),
        "log": (4, "Error", "noise\nwhy\n"),
        "fine": (0, "Completed", None),
        "hungry": (137, "OOMKilled", None),
    }


RIGHTS = """\
grep -E '^(Seccomp|NoNewPrivs|CapEff|Groups):' /proc/1/status
stat -c 'scratch: %g' /scratch
touch /new 2>/dev/null && echo new: yes || echo new: no
"""


def test_processes_have_the_rights_that_their_contexts_give(kubelite: Namespace) -> None:
    confined = {
        "seccompProfile": {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }
    free = {"seccompProfile": {"type": "Unconfined"}, "capabilities": {"add": ["NET_ADMIN"], "drop": ["CHOWN"]}}
    sysctls = [
        {"name": "kernel.shm_rmid_forced", "value": "1"},
        {"name": "net/ipv4/ip_unprivileged_port_start", "value": "80"},
    ]
    scratch: Obj = {"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}
    create(
        kubelite,
        "rights",
        container("confined", securityContext=confined, **scratch),
        container("free", securityContext=free, resources={"requests": {"memory": "1Gi"}}, **scratch),
        container("user", securityContext={"runAsUser": 1000, "runAsGroup": 3000, "procMount": "Default"}, **scratch),
        securityContext={"supplementalGroups": [5001], "fsGroup": 5002, "sysctls": sysctls},
        volumes=[{"name": "scratch", "emptyDir": {}}],
    )
    unsafe = {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}
    create(kubelite, "unsafe", container("main"), securityContext=unsafe)
    kubelite.wait("pods", "rights")
    capabilities, seen = rights(kubelite, "confined")
    assert capabilities == 1 << 10  # NET_BIND_SERVICE alone
    groups = {"Groups": "0 5001 5002", "scratch": "5002"}
    assert seen == {"NoNewPrivs": "1", "Seccomp": "2", "new": "no", **groups}
    capabilities, seen = rights(kubelite, "free")
    assert (capabilities >> 12 & 1, capabilities & 1) == (1, 0)  # NET_ADMIN and CHOWN
    assert seen == {"NoNewPrivs": "0", "Seccomp": "0", "new": "yes", **groups}
    script = (
        "id; cd /proc/sys; cat kernel/shm_rmid_forced net/ipv4/ip_unprivileged_port_start; cat /proc/1/oom_score_adj"
    )
    who, *kernel, score = kubelite.kubectl("exec", "rights", "-c", "user", "--", "sh", "-c", script).stdout.splitlines()
    assert (who, kernel, score) == ("uid=1000 gid=3000 groups=3000,5001,5002", ["1", "80"], "999")
    asking = kubelite.kubectl("exec", "rights", "-c", "free", "--", "cat", "/proc/1/oom_score_adj").stdout
    assert 3 <= int(asking) < 999
    failed = kubelite.wait("pods", "unsafe", lambda pod: pod["status"].get("phase") == "Failed")["status"]
    problem = 'forbidden sysctl: "kernel.msgmax" not allowlisted'
    assert (failed["reason"], failed["message"]) == ("SysctlForbidden", f"Pod was rejected: {problem}")


def rights(kubelite: Namespace, name: str) -> tuple[int, dict[str, str]]:
    """The capabilities, and the others by name."""
    lines = kubelite.kubectl("exec", "rights", "-c", name, "--", "sh", "-c", RIGHTS).stdout.splitlines()
    found = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(found.pop("CapEff"), 16), found


LIMITS = """\
cd /sys/fs/cgroup
cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes
cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us
"""


def test_pod_has_its_names_its_limits_and_a_token_of_its_own(kubelite: Namespace) -> None:
    made(kubelite, "services", "Service", "some-db", spec={"ports": [{"port": 5432}]})
    token = {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}}
    main = container(
        "main",
        resources={"limits": {"cpu": "200m", "memory": "32Mi"}},
        volumeMounts=[{"name": "tokens", "mountPath": "/tokens"}],
    )
    named: Obj = {"hostname": "db", "subdomain": "sub", "setHostnameAsFQDN": True}
    user = {"runAsUser": 1000, "runAsNonRoot": True, "fsGroup": 2000}
    volumes = [{"name": "tokens", "projected": {"sources": [token]}}]
    create(kubelite, "guarded", main, securityContext=user, volumes=volumes, **named)
    create(kubelite, "endless", container("main"), **{**named, "hostname": "d" * 40})

    pod = kubelite.wait("pods", "guarded")
    full = f"db.sub.{kubelite.namespace}.svc.cluster.local"
    assert kubelite.exec("guarded", "sh", "-c", "hostname; hostname -f; cat /etc/hostname").split() == [full] * 3
    service = kubelite.get("services", "some-db")["spec"]["clusterIP"]
    assert kubelite.exec("guarded", "sh", "-c", "echo $SOME_DB_PORT") == f"tcp://{service}:5432\n"

    assert pod["status"]["qosClass"] == "Guaranteed"
    memory, quota = kubelite.exec("guarded", "sh", "-c", LIMITS).splitlines()
    assert (memory, quota.split()[0]) == (str(32 * 1024**2), "20000")

    mode, content = kubelite.exec("guarded", "sh", "-c", "stat -Lc '%a %u %g' /tokens/token; cat /tokens/token").split(
        "\n"
    )
    assert mode == "640 1000 2000"
    claims = json.loads(base64.urlsafe_b64decode(content.split(".")[1] + "=="))
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["vault"], 600)
    assert claims["kubernetes.io"]["pod"] == {"name": "guarded", "uid": meta.uid(pod)}
    assert [reviewed(kubelite, content, audience) for audience in ("vault", "other")] == [True, False]
    kubelite.kubectl("delete", "pod", "guarded", "--now")
    assert not reviewed(kubelite, content, "vault")

    length = len(full) + 38
    eventually(lambda: any(f"is too long (64 characters is the max, {length}" in e for e in told(kubelite, "endless")))


def reviewed(kubelite: Namespace, token: str, audience: str) -> bool:
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    review = kubelite.client.request("POST", path, {"spec": {"token": token, "audiences": [audience]}}) or {}
    return bool(review["status"].get("authenticated"))


GATE = "example.com/warm"


def test_pod_joins_its_service_when_its_readiness_gate_opens(kubelite: Namespace) -> None:
    spec = {"selector": {"app": "gated"}, "ports": [{"port": 80}]}
    made(kubelite, "services", "Service", "gated", spec=spec)
    create(kubelite, "gated", container("main"), readinessGates=[{"conditionType": GATE}], enableServiceLinks=False)
    path = f"/api/v1/namespaces/{kubelite.namespace}/pods/gated/status"

    def opened(status: str) -> None:
        condition = {"status": {"conditions": [{"type": GATE, "status": status}]}}
        kubelite.client.request("PATCH", path, condition, content_type="application/strategic-merge-patch+json")

    pod = kubelite.wait("pods", "gated", "ContainersReady")
    assert readiness(pod) == f'corresponding condition of pod readiness gate "{GATE}" does not exist.'
    kubelite.wait("endpoints", "gated", lambda found: listed(found, "notReadyAddresses"))
    opened("True")
    kubelite.wait("pods", "gated")
    kubelite.wait("endpoints", "gated", lambda found: listed(found, "addresses"))
    opened("False")
    kubelite.wait("endpoints", "gated", lambda found: listed(found, "notReadyAddresses"))
    problem = f'the status of pod readiness gate "{GATE}" is not "True", but False'
    assert readiness(kubelite.get("pods", "gated")) == problem
    names = {line.partition("=")[0] for line in kubelite.exec("gated", "env").splitlines()}
    assert "KUBERNETES_SERVICE_HOST" in names
    assert "GATED_SERVICE_HOST" not in names


def readiness(pod: Obj) -> str:
    condition = meta.condition(pod["status"]["conditions"], "Ready") or {}
    assert (condition["status"], condition["reason"]) == ("False", "ReadinessGatesNotReady")
    return str(condition["message"])


def listed(endpoints: Obj, where: str) -> bool:
    return [list(subset) for subset in endpoints.get("subsets") or ()] == [[where, "ports"]]
