"""The table of kinds: everything that the API serves, in one place.

Read by the registry, discovery and the HTTP edge; a new kind is one declaration and one line here.
"""

from __future__ import annotations

from kubelite.registry.kind import Kind
from kubelite.registry.kinds.apiservice import API_SERVICE
from kubelite.registry.kinds.certificatesigningrequest import CERTIFICATE_SIGNING_REQUEST
from kubelite.registry.kinds.componentstatus import COMPONENT_STATUS
from kubelite.registry.kinds.configmap import CONFIG_MAP
from kubelite.registry.kinds.controllerrevision import CONTROLLER_REVISION
from kubelite.registry.kinds.cronjob import CRON_JOB
from kubelite.registry.kinds.csi import CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY, VOLUME_ATTACHMENT
from kubelite.registry.kinds.customresourcedefinition import CUSTOM_RESOURCE_DEFINITION
from kubelite.registry.kinds.daemonset import DAEMON_SET
from kubelite.registry.kinds.deployment import DEPLOYMENT
from kubelite.registry.kinds.endpoints import ENDPOINTS
from kubelite.registry.kinds.endpointslice import ENDPOINT_SLICE
from kubelite.registry.kinds.event import EVENT
from kubelite.registry.kinds.event_v1 import EVENT_V1
from kubelite.registry.kinds.flowschema import FLOW_SCHEMA
from kubelite.registry.kinds.horizontalpodautoscaler import HORIZONTAL_POD_AUTOSCALER
from kubelite.registry.kinds.horizontalpodautoscaler_v1 import HORIZONTAL_POD_AUTOSCALER_V1
from kubelite.registry.kinds.ingress import INGRESS, INGRESS_CLASS
from kubelite.registry.kinds.job import JOB
from kubelite.registry.kinds.lease import LEASE
from kubelite.registry.kinds.limitrange import LIMIT_RANGE
from kubelite.registry.kinds.namespace import NAMESPACE, PROTECTED_NAMESPACES
from kubelite.registry.kinds.networkpolicy import NETWORK_POLICY
from kubelite.registry.kinds.node import NODE
from kubelite.registry.kinds.persistentvolume import PERSISTENT_VOLUME
from kubelite.registry.kinds.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM
from kubelite.registry.kinds.pod import POD
from kubelite.registry.kinds.poddisruptionbudget import POD_DISRUPTION_BUDGET
from kubelite.registry.kinds.podtemplate import POD_TEMPLATE
from kubelite.registry.kinds.priorityclass import PRIORITY_CLASS
from kubelite.registry.kinds.prioritylevelconfiguration import PRIORITY_LEVEL_CONFIGURATION
from kubelite.registry.kinds.rbac import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from kubelite.registry.kinds.replicaset import REPLICA_SET
from kubelite.registry.kinds.replicationcontroller import REPLICATION_CONTROLLER
from kubelite.registry.kinds.resourcequota import RESOURCE_QUOTA
from kubelite.registry.kinds.runtimeclass import RUNTIME_CLASS
from kubelite.registry.kinds.secret import SECRET
from kubelite.registry.kinds.service import SERVICE
from kubelite.registry.kinds.serviceaccount import SERVICE_ACCOUNT
from kubelite.registry.kinds.statefulset import STATEFUL_SET
from kubelite.registry.kinds.storageclass import STORAGE_CLASS
from kubelite.registry.kinds.webhookconfiguration import (
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
)

__all__ = ["KINDS", "PROTECTED_NAMESPACES", "by_kind", "by_plural"]

KINDS: tuple[Kind, ...] = (
    COMPONENT_STATUS,
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    LIMIT_RANGE,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    PERSISTENT_VOLUME,
    POD_TEMPLATE,
    POD,
    REPLICATION_CONTROLLER,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    CUSTOM_RESOURCE_DEFINITION,
    API_SERVICE,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    HORIZONTAL_POD_AUTOSCALER,
    HORIZONTAL_POD_AUTOSCALER_V1,
    CRON_JOB,
    JOB,
    CERTIFICATE_SIGNING_REQUEST,
    LEASE,
    EVENT_V1,
    INGRESS_CLASS,
    INGRESS,
    NETWORK_POLICY,
    ENDPOINT_SLICE,
    FLOW_SCHEMA,
    PRIORITY_LEVEL_CONFIGURATION,
    RUNTIME_CLASS,
    POD_DISRUPTION_BUDGET,
    CLUSTER_ROLE_BINDING,
    CLUSTER_ROLE,
    ROLE_BINDING,
    ROLE,
    PRIORITY_CLASS,
    CSI_DRIVER,
    CSI_NODE,
    CSI_STORAGE_CAPACITY,
    STORAGE_CLASS,
    VOLUME_ATTACHMENT,
)

_BY_KIND = {(kind.api_version, kind.kind): kind for kind in KINDS}


def by_plural(plural: str, group: str | None = None) -> Kind | None:
    """The kind of a resource name; without a group the first that has it."""
    return next((kind for kind in KINDS if kind.plural == plural and group in (None, kind.group)), None)


def by_kind(api_version: str, kind: str) -> Kind | None:
    return _BY_KIND.get((api_version, kind))
