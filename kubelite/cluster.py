"""The composition root: the only place that wires the parts of the control plane together, and its start and stop.

Everything runs in one event loop; a part that fails for good ends the process, and the next start picks up what the
store and the engine say (crash-only). Called by `kubelite serve`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TextIO

from aiohttp import web

from kubelite import bootstrap
from kubelite.api.aggregation import Aggregation
from kubelite.api.app import Api
from kubelite.api.health import Check
from kubelite.api.pods import Pods
from kubelite.api.webhooks import WebhookCaller
from kubelite.config import KUBERNETES_VERSION, Settings
from kubelite.controllers.accounttokens import AccountTokens
from kubelite.controllers.aggregation import RoleAggregation
from kubelite.controllers.apiserver_objects import ApiserverObjects
from kubelite.controllers.apiservices import ApiServices
from kubelite.controllers.autoscaler import AutoscalerController
from kubelite.controllers.certificates import CertificateSigner
from kubelite.controllers.cronjob import CronJobController
from kubelite.controllers.customresources import CustomResourceController
from kubelite.controllers.daemonset.controller import DaemonSetController
from kubelite.controllers.deployment.controller import DeploymentController
from kubelite.controllers.disruption import DisruptionController, StaleDisruptions
from kubelite.controllers.endpoints.controller import EndpointsController, EndpointSliceController
from kubelite.controllers.endpoints.mirroring import EndpointSliceMirroringController
from kubelite.controllers.expiry import EventExpiry
from kubelite.controllers.flowcontrol import FlowControl
from kubelite.controllers.garbage import GarbageCollector
from kubelite.controllers.job import JobController, TtlAfterFinished
from kubelite.controllers.loadbalancer import LoadBalancerController
from kubelite.controllers.namespace import NamespaceController
from kubelite.controllers.namespace_furniture import NamespaceFurniture
from kubelite.controllers.nodelease import NodeLease
from kubelite.controllers.nodelifecycle import NodeLifecycle
from kubelite.controllers.podgc import PodGarbageCollector
from kubelite.controllers.replicaset import ReplicaSetController, ReplicationManager
from kubelite.controllers.resourcequota import ResourceQuotaController
from kubelite.controllers.runtime import Controller, Manager
from kubelite.controllers.scheduler.controller import Scheduler
from kubelite.controllers.statefulset.controller import StatefulSetController
from kubelite.controllers.tainteviction import TaintEviction
from kubelite.controllers.volumes.binder import ClaimBinder, VolumeController
from kubelite.controllers.volumes.ephemeral import EphemeralVolumes
from kubelite.controllers.volumes.protection import ClaimProtection, VolumeProtection
from kubelite.controllers.volumes.provisioner import Provisioner, Reclaimer
from kubelite.controllers.volumes.reclaim import HandMadeReclaimer
from kubelite.controllers.volumes.resizer import Expander, NodeExpander, Resizer
from kubelite.net.ipam import Allocator
from kubelite.node.csi_node import register_csi_node
from kubelite.node.docker_files import remove_tree
from kubelite.node.docker_network import ensure_network
from kubelite.node.docker_runtime import DockerRuntime
from kubelite.node.kubelet import Kubelet
from kubelite.node.node_status import register_node
from kubelite.node.streams import NodeStreams
from kubelite.node.usage import Usages
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.pki import Authority, kubeconfig, write_kubeconfig
from kubelite.registry.events import EventRecorder
from kubelite.registry.registry import Registry
from kubelite.store import Store
from kubelite.tokens import TokenAuthority

if TYPE_CHECKING:
    import docker

log = logging.getLogger(__name__)

ADDON_HASH = "kubelite.io/addon-hash"
SERVICE_RULES = "ServiceRules"
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class AlreadyRunning(Exception):
    """Another process serves this cluster."""


class StateLost(Exception):
    """The cluster was up before, and its objects aren't where they were."""


@dataclass(frozen=True, slots=True)
class Images:
    """What the cluster itself starts."""

    pause: str
    kubelite: str


class Cluster:
    """One cluster's control plane."""

    def __init__(self, settings: Settings, client: docker.DockerClient, images: Images) -> None:
        self.ends_pods = False  # with the control plane
        self._ending = False
        self._settings = settings
        self._images = images
        self._authority = Authority(settings.pki)
        self._store = _open_store(settings)
        self.registry = Registry(self._store, settings)
        self._tokens = TokenAuthority(self._authority.service_account_key())
        self._client = client
        self._runtime = DockerRuntime(client.api, settings)
        self._kubelet = Kubelet(
            self.registry,
            EventRecorder(self.registry, "kubelet", settings.node_name),
            self._runtime,
            settings,
            pause_image=images.pause,
            cluster_dns=self._cluster_dns,
            token=self._service_account_token,
            addresses=Allocator(settings.pod_cidr),
        )
        self._usages = Usages(self._runtime, self._kubelet)
        self._webhooks = WebhookCaller(self.registry)
        shown = self._authority.client_certificate("front-proxy-client", bootstrap.FRONT_PROXY, [])
        self._aggregation = Aggregation(self.registry, shown)

    def _service_account_token(self, namespace: str, account: str, audience: str, seconds: int, pod: Obj) -> str:
        found = self.registry.get("serviceaccounts", namespace, account)
        audiences = [audience] if audience else []
        node = self.registry.find("nodes", None, pod["spec"].get("nodeName", ""))
        return self._tokens.issue(found, seconds=seconds, audiences=audiences, bound_to=pod, node=node).text

    def _cluster_dns(self) -> str:
        """The Service's address; where the machine can't have rules for it, the pod's own, which is pinned."""
        settings = self._settings
        return str(settings.dns_pod_address if self._without_rules() else settings.dns_service_address)

    # start and stop

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; the files of the cluster directory are complete once the API answers."""
        self._create_initial_objects()
        self._write_kubeconfig()
        runner = await self._start_api()
        try:
            await self._join_network(runner)
            image = await asyncio.to_thread(self._client.api.inspect_image, self._images.kubelite)
            image_id = str(image["Id"])
            async with asyncio.TaskGroup() as tasks:
                parts = [
                    tasks.create_task(self._kubelet.run(), name="kubelet"),
                    tasks.create_task(
                        Manager(self.registry, self.controllers(), self._webhooks).run(), name="controllers"
                    ),
                ]
                self._apply_addons(image_id)
                await stop.wait()
                await self._end(*parts)
        finally:
            await runner.cleanup()
            await self._webhooks.close()
            self._runtime.close()
            self._store.close()

    async def _end(self, kubelet: asyncio.Task[None], controllers: asyncio.Task[None]) -> None:
        self._ending = True
        controllers.cancel()
        if self.ends_pods:
            await self._kubelet.shut_down()
        kubelet.cancel()

    def controllers(self) -> Sequence[Controller]:
        registry, settings = self.registry, self._settings

        def recorder(component: str) -> EventRecorder:
            return EventRecorder(registry, component)

        provisioner = recorder(f"fuseim.pri/ifs_{settings.node_name}")
        volumes = recorder("persistentvolume-controller")
        remove = partial(remove_tree, self._client, self._images.kubelite)
        return [
            Scheduler(registry, recorder("default-scheduler")),
            StatefulSetController(registry, recorder("statefulset-controller")),
            ReplicaSetController(registry, recorder("replicaset-controller")),
            ReplicationManager(registry, recorder("replication-controller")),
            DeploymentController(registry, recorder("deployment-controller")),
            DaemonSetController(registry, recorder("daemonset-controller")),
            JobController(registry, recorder("job-controller")),
            CronJobController(registry, recorder("cronjob-controller")),
            TtlAfterFinished(registry, recorder("ttl-after-finished-controller")),
            AutoscalerController(registry, recorder("horizontal-pod-autoscaler"), self._usages),
            DisruptionController(registry, recorder("controllermanager")),
            StaleDisruptions(registry, recorder("controllermanager")),
            EndpointSliceController(registry, recorder("endpoint-slice-controller")),
            EndpointsController(registry, recorder("endpoint-controller")),
            EndpointSliceMirroringController(registry, recorder("endpoint-slice-mirroring-controller")),
            ClaimBinder(registry, volumes),
            VolumeController(registry, volumes),
            ClaimProtection(registry, volumes),
            VolumeProtection(registry, volumes),
            Provisioner(registry, provisioner, settings.volumes, str(settings.gateway)),
            Reclaimer(registry, provisioner, settings.volumes, remove),
            HandMadeReclaimer(registry, volumes, remove),
            Expander(registry, recorder(Expander.name)),
            Resizer(registry, recorder("external-resizer fuseim.pri/ifs")),
            NodeExpander(registry, EventRecorder(registry, "kubelet", settings.node_name)),
            EphemeralVolumes(registry, recorder("ephemeral_volume")),
            NamespaceFurniture(registry, recorder("serviceaccount-controller"), self._authority.ca_pem),
            RoleAggregation(registry, recorder("clusterrole-aggregation-controller")),
            AccountTokens(
                registry, recorder("tokens-controller"), self._authority.ca_pem, self._tokens.issue_for_secret
            ),
            NamespaceController(registry, recorder("namespace-controller"), registry.built_in),
            CertificateSigner(registry, recorder("certificate-signer"), self._authority.sign),
            CustomResourceController(registry, recorder("customresource-controller")),
            GarbageCollector(registry, recorder("garbage-collector-controller"), registry.built_in),
            LoadBalancerController(registry, recorder("service-controller"), str(settings.gateway)),
            ResourceQuotaController(registry, recorder("resourcequota-controller"), registry.built_in),
            ApiserverObjects(registry, recorder("apiserver"), bootstrap.initial_objects(settings)),
            ApiServices(registry, recorder("apiserver"), registry.built_in, self._aggregation.check),
            FlowControl(registry, recorder("apiserver")),
            NodeLease(registry, recorder("node-controller")),
            NodeLifecycle(registry, recorder("node-controller")),
            TaintEviction(registry, recorder("taint-eviction-controller")),
            PodGarbageCollector(registry, recorder("pod-garbage-collector-controller")),
            EventExpiry(registry, recorder("event-expiry")),
        ]

    def _initial_objects(self) -> Iterator[tuple[str, Obj]]:
        yield from bootstrap.initial_objects(self._settings)
        yield "configmaps", bootstrap.extension_authentication(self._authority.ca_pem)

    def _create_initial_objects(self) -> None:
        for plural, obj in self._initial_objects():
            present = self.registry.find(plural, meta.namespace(obj), meta.name(obj))
            if present is None:
                self.registry.create(plural, obj)
            elif plural == "services":  # the API's port may be another one than last time
                self.registry.update(plural, {**present, "spec": {**present["spec"], "ports": obj["spec"]["ports"]}})
        self._settings.volumes.mkdir(parents=True, exist_ok=True)

    def _apply_addons(self, image_id: str) -> None:
        """Create the packaged add-ons, or bring them up to date when they were packaged differently last time."""
        plurals = {(kind.api_version, kind.kind): kind.plural for kind in self.registry.kinds}
        for obj in bootstrap.addon_objects(self._settings, self._images.kubelite, image_id):
            wanted = bootstrap.marked(obj, ADDON_HASH)
            plural = plurals[obj["apiVersion"], obj["kind"]]
            present = self.registry.find(plural, meta.namespace(obj), meta.name(obj))
            if present is None:
                self.registry.create(plural, wanted)
            elif meta.annotations(present).get(ADDON_HASH) != meta.annotations(wanted)[ADDON_HASH]:
                self.registry.patch(plural, meta.namespace(obj), meta.name(obj), wanted)

    def _write_kubeconfig(self) -> None:
        name = self._settings.name
        context = name if name.startswith("kubelite") else f"kubelite-{name}"
        certificate = self._authority.client_certificate("admin", "kubernetes-admin", ["system:masters"])
        content = kubeconfig(context, self._settings.api_url, self._authority.ca_pem, *certificate)
        write_kubeconfig(self._settings.kubeconfig, content)

    async def _start_api(self) -> web.AppRunner:
        streams = NodeStreams(self._client, self._kubelet)
        pods = Pods(self.registry, streams)
        api = Api(
            self.registry,
            self._tokens,
            pods,
            self._usages,
            self._readiness(),
            self._address,
            self._webhooks,
            self._aggregation,
        )
        runner = web.AppRunner(api.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await self._listen(runner, "127.0.0.1")
        return runner

    @property
    def _address(self) -> str:
        return f"{self._settings.gateway}:{self._settings.api_port}"

    async def _listen(self, runner: web.AppRunner, host: str) -> None:
        site = web.TCPSite(runner, host, self._settings.api_port, ssl_context=self._tls(), reuse_address=True)
        await site.start()

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        names = [
            *SERVER_NAMES,
            f"kubernetes.default.svc.{settings.domain}",
            "127.0.0.1",
            str(settings.gateway),
            str(settings.kubernetes_service_address),
            socket.gethostname(),
        ]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._authority.server_certificate(names))
        context.load_verify_locations(self._authority.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    async def _join_network(self, runner: web.AppRunner) -> None:
        """The pods' network, its gateway address as a second door to the API, and the node."""
        await asyncio.to_thread(ensure_network, self._client.api, self._settings)
        try:
            await self._listen(runner, str(self._settings.gateway))
        except OSError as error:
            log.warning("pods can't reach the API at %s: %s", self._settings.gateway, error)
        info = await self._runtime.info()
        node = register_node(self.registry, self._settings, info, KUBERNETES_VERSION, self.registry.now())
        register_csi_node(self.registry, node)

    # readiness

    async def wait_until_ready(self) -> None:
        """Until every check of /readyz passes; looks again whenever something it depends on changes."""
        changes = self.registry.watch(["endpoints", "nodes", "pods", "serviceaccounts", "storageclasses"])
        try:
            while any(check() is not None for check in self._readiness().values()):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(anext(changes), 0.1)
        finally:
            changes.close()

    def _readiness(self) -> dict[str, Check]:
        return {
            "shutdown": lambda: "process is shutting down" if self._ending else None,
            "node": self._node_ready,
            "default-service-account": lambda: self._missing("serviceaccounts", "default", "default"),
            "storage-class": lambda: self._missing("storageclasses", None, bootstrap.STORAGE_CLASS),
            "dns": self._dns_ready,
            "service-rules": self._rules_ready,
        }

    def _missing(self, plural: str, namespace: str | None, name: str) -> str | None:
        return None if self.registry.find(plural, namespace, name) else f"{plural} {name} is missing"

    def _node_ready(self) -> str | None:
        node = self.registry.find("nodes", None, self._settings.node_name)
        ready = meta.condition((node or {}).get("status", {}).get("conditions"), "Ready") or {}
        if ready.get("status") == "True" and self._kubelet.ready:
            return None
        why = f": {ready['message']}" if ready.get("status") == "False" else ""
        return f"the node is not ready{why}"

    def _dns_ready(self) -> str | None:
        endpoints = self.registry.find("endpoints", "kube-system", "kube-dns") or {}
        ready = any(subset.get("addresses") for subset in endpoints.get("subsets") or ())
        return None if ready else "no ready endpoint of kube-dns"

    def _rules_ready(self) -> str | None:
        """The proxy has the rules in the kernel, or it has said that they can't be had on this machine."""
        pods = self.registry.list("pods", "kube-system")
        proxies = [pod for pod in pods if meta.labels(pod).get("k8s-app") == "kube-proxy"]
        ready = any(meta.condition_is_true((pod.get("status") or {}).get("conditions"), "Ready") for pod in proxies)
        return None if ready or self._without_rules() else "kube-proxy is not ready"

    def _without_rules(self) -> bool:
        """The proxy found that this machine's kernel can't have the Services' rules."""
        node = self.registry.find("nodes", None, self._settings.node_name) or {}
        found = meta.condition((node.get("status") or {}).get("conditions"), SERVICE_RULES)
        return found is not None and found["status"] == "False"


def _open_store(settings: Settings) -> Store:
    """With an empty store in the place of the one that was lost, every container would be an orphan."""
    store = Store(settings.database, durable=os.environ.get("KUBELITE_DURABLE") == "1")
    if store.revision == 1 and settings.kubeconfig.exists():
        store.close()
        raise StateLost(
            f"{settings.database} holds nothing of what it held; put a copy back, or begin anew with the volumes kept: "
            f"kubelite delete --keep-volumes --name {settings.name}"
        )
    return store


@contextlib.contextmanager
def sole_server(settings: Settings) -> Iterator[None]:
    """Hold the cluster's lock and leave the pid in its pid file; AlreadyRunning when another process has it."""
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = settings.pid_file.open("a+")
    while not _locked(file, fcntl.LOCK_EX):
        # Who asks whether somebody serves the cluster shares the lock for an instant.
        if not _locked(file, fcntl.LOCK_SH):
            file.close()
            raise AlreadyRunning(settings.name)
    try:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
    finally:
        file.truncate(0)
        file.close()


def _locked(file: TextIO, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
