"""A webhook that runs in a pod has its say in what clients and controllers write."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from kubelite.engine.images import KUBELITE
from kubelite.pki import Authority
from kubelite.testing.namespace import KubectlError, Namespace
from tests.docker.serving import deployment
from tests.docker.test_pods_more import TOOLS, Obj, create, pod

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
# Refuses ConfigMaps with a key `bad`; gives pods that are to have one a sidecar.
SERVER = """
import base64, http.server, json, ssl

def response(request):
    made = request.get("object") or {}
    if "bad" in (made.get("data") or {}):
        return {"allowed": False, "status": {"message": "bad is bad"}}
    if request["kind"]["kind"] != "Pod":
        return {"allowed": True}
    sidecar = {"name": "sidecar", "image": "%s", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "600"]}
    patch = json.dumps([{"op": "add", "path": "/spec/containers/-", "value": sidecar}])
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(patch.encode()).decode()}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review.pop("request")
        review["response"] = {"uid": request["uid"], **response(request)}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def serve(kubelite: Namespace, certificate: Path, key: Path) -> None:
    """The server in a pod, behind the Service `hook`."""
    core = f"/api/v1/namespaces/{kubelite.namespace}"
    data = {
        name: base64.b64encode(path.read_bytes()).decode()
        for name, path in (("tls.crt", certificate), ("tls.key", key))
    }
    secret = {"metadata": {"name": "tls"}, "type": "kubernetes.io/tls", "data": data}
    kubelite.client.request("POST", f"{core}/secrets", secret)
    ports = [{"port": 443, "targetPort": 8443}]
    service = {"metadata": {"name": "hook"}, "spec": {"selector": {"app": "hook"}, "ports": ports}}
    kubelite.client.request("POST", f"{core}/services", service)
    container = {
        "image": KUBELITE,
        "command": ["python3", "-c", SERVER % TOOLS],
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
    }
    create(kubelite, pod("hook", container=container, volumes=[{"name": "tls", "secret": {"secretName": "tls"}}]))
    kubelite.wait("pods", "hook")


def configure(kubelite: Namespace, kind: str, authority: Authority, resource: str, **more: object) -> str:
    """The path of the configuration, which is about this namespace alone."""
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": [resource]}
    bundle = base64.b64encode(authority.ca_pem.encode()).decode()
    webhook = {
        "name": "hook.example.com",
        "rules": [rule],
        "clientConfig": {"service": {"name": "hook", "namespace": kubelite.namespace}, "caBundle": bundle},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubelite.namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }
    path = f"{CONFIGURATIONS}/{kind.lower()}s"
    kubelite.client.request("POST", path, {"metadata": {"name": kubelite.namespace}, "webhooks": [webhook]})
    return f"{path}/{kubelite.namespace}"


def test_a_webhook_in_a_pod_refuses_and_adds(kubelite: Namespace, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    serve(kubelite, *authority.server_certificate([f"hook.{kubelite.namespace}.svc"]))
    wanting = {"objectSelector": {"matchLabels": {"app": "wanting"}}}
    paths = [
        configure(kubelite, "ValidatingWebhookConfiguration", authority, "configmaps"),
        configure(kubelite, "MutatingWebhookConfiguration", authority, "pods", **wanting),
    ]
    try:
        kubelite.kubectl("create", "configmap", "good", "--from-literal=good=1")
        with pytest.raises(KubectlError) as refused:
            kubelite.kubectl("create", "configmap", "bad", "--from-literal=bad=1")
        assert 'admission webhook "hook.example.com" denied the request: bad is bad' in str(refused.value)
        main: Obj = {"name": "main", "image": TOOLS, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "600"]}
        kubelite.apply(deployment("wanting", 2, main))
        kubelite.wait("deployments", "wanting", lambda one: one["status"].get("readyReplicas") == 2)
        for made in kubelite.list("pods", "app=wanting"):
            assert [container["name"] for container in made["spec"]["containers"]] == ["main", "sidecar"]
        kubelite.kubectl("delete", "pod", "hook", "--grace-period=0", "--force")
        with pytest.raises(KubectlError) as failed:
            kubelite.kubectl("create", "configmap", "later", "--from-literal=good=1")
        assert 'failed calling webhook "hook.example.com": failed to call webhook: ' in str(failed.value)
    finally:
        for path in paths:
            kubelite.client.request("DELETE", path)
