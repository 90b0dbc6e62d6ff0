"""What is wrong with pods: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod import POD
from kubelite.registry.kinds.podspec_defaults import default_template
from kubelite.registry.kinds.podspec_validation import template_spec

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
PORT_RANGE = "must be between 1 and 65535, inclusive"
SUPPORTED_ENV_FIELDS = (
    '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
    '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
)
ONE_HANDLER = "may not specify more than 1 handler type"


def errors_of(pod: Obj, old: Obj | None = None) -> list[str]:
    POD.default(pod)
    return [str(error) for error in POD.validate(pod, old)]


def pod(**spec: Any) -> Obj:
    base = {"containers": [{"name": "web", "image": "httpd:2.4"}]}
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": meta.copy(base | spec)}


def web(**fields: Any) -> Obj:
    return pod(containers=[{"name": "web", "image": "httpd:2.4", **fields}])


def volumes(*given: Obj) -> Obj:
    return pod(volumes=list(given))


def test_good_pod_has_no_errors() -> None:
    assert errors_of(pod()) == []


C = "spec.containers[0]"

CONTAINERS = [
    (pod(containers=[]), ["spec.containers: Required value"]),
    (pod(containers=[{"image": "i"}]), [f"{C}.name: Required value"]),
    (pod(containers=[{"name": "c"}]), [f"{C}.image: Required value"]),
    (pod(containers=[{"name": "Web", "image": "i"}]), [f'{C}.name: Invalid value: "Web": {LABEL}']),
    (web(image=" httpd "), [f'{C}.image: Invalid value: " httpd ": must not have leading or trailing whitespace']),
    (
        pod(containers=[{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]),
        ['spec.containers[1].name: Duplicate value: "a"'],
    ),
    (
        web(imagePullPolicy="always"),
        [
            f'{C}.imagePullPolicy: Unsupported value: "always": supported values: "Always", "IfNotPresent", "Never"',
        ],
    ),
    (
        web(terminationMessagePolicy="Log"),
        [
            f'{C}.terminationMessagePolicy: Unsupported value: "Log": '
            'supported values: "File", "FallbackToLogsOnError"',
        ],
    ),
    (web(restartPolicy="Always"), [f"{C}.restartPolicy: Forbidden: may not be set for non-init containers"]),
    (
        pod(initContainers=[{"name": "web", "image": "i"}]),
        ['spec.initContainers[0].name: Duplicate value: "web"'],
    ),
    (
        pod(initContainers=[{"name": "i", "image": "i", "restartPolicy": "Never"}]),
        ['spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    (
        pod(initContainers=[{"name": "i", "image": "i", "livenessProbe": {"exec": {"command": ["a"]}}}]),
        [
            "spec.initContainers[0].livenessProbe: Forbidden: "
            "may not be set for init containers without restartPolicy=Always"
        ],
    ),
    (
        pod(
            initContainers=[
                {
                    "name": "i",
                    "image": "i",
                    "restartPolicy": "Always",
                    "readinessProbe": {"exec": {"command": ["a"]}},
                }
            ]
        ),
        [],
    ),
    (
        pod(ephemeralContainers=[{"name": "d", "image": "i"}]),
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
]

PORTS = [
    (web(ports=[{"containerPort": 70000}]), [f"{C}.ports[0].containerPort: Invalid value: 70000: {PORT_RANGE}"]),
    (web(ports=[{}]), [f"{C}.ports[0].containerPort: Required value"]),
    (
        web(ports=[{"containerPort": 80, "protocol": "tcp"}]),
        [f'{C}.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'],
    ),
    (
        web(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]),
        [f'{C}.ports[1].name: Duplicate value: "a"'],
    ),
    (
        web(ports=[{"containerPort": 80, "name": "this-name-is-too-long"}]),
        [f'{C}.ports[0].name: Invalid value: "this-name-is-too-long": must be no more than 15 characters'],
    ),
    (
        web(ports=[{"containerPort": 80, "hostPort": 1}, {"containerPort": 81, "hostPort": 1}]),
        [f'{C}.ports[1].hostPort: Duplicate value: "TCP//1"'],
    ),
    (
        web(ports=[{"containerPort": 80, "hostPort": 99999}]),
        [f"{C}.ports[0].hostPort: Invalid value: 99999: {PORT_RANGE}"],
    ),
    (
        pod(
            hostNetwork=True,
            containers=[{"name": "a", "image": "i", "ports": [{"containerPort": 1, "hostPort": 2}]}],
        ),
        [f"{C}.ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"],
    ),
]

ENV = [
    (web(env=[{"value": "x"}]), [f"{C}.env[0].name: Required value"]),
    (web(env=[{"name": "1-odd.name", "value": "x"}]), []),
    (
        web(env=[{"name": "a=b"}]),
        [
            f'{C}.env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of '
            "printable ASCII characters other than '='"
        ],
    ),
    (
        web(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        [f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {}}]),
        [
            f'{C}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
            "`configMapKeyRef` or `secretKeyRef`"
        ],
    ),
    (
        web(
            env=[
                {
                    "name": "A",
                    "valueFrom": {
                        "fieldRef": {"fieldPath": "metadata.name"},
                        "secretKeyRef": {"name": "s", "key": "k"},
                    },
                }
            ]
        ),
        [f'{C}.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time'],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.image"}}}]),
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.image": '
            "error converting fieldPath: field label not supported: spec.image"
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]),
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": '
            f"supported values: {SUPPORTED_ENV_FIELDS}"
        ],
    ),
    (web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]), []),
    (
        web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName['x']"}}}]),
        [
            f"{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.nodeName['x']\": error converting "
            "fieldPath: field label does not support subscript: spec.nodeName['x']"
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}]),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: '
            '"limits.cpu", "limits.ephemeral-storage", "limits.memory", '
            '"requests.cpu", "requests.ephemeral-storage", "requests.memory"'
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Mi"}}}]),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": '
            "only divisor's values 1m and 1 are supported with the cpu resource"
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]),
        [f"{C}.env[0].valueFrom.configMapKeyRef.key: Required value"],
    ),
    (
        web(envFrom=[{}]),
        [f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'],
    ),
    (web(envFrom=[{"secretRef": {}}]), [f"{C}.envFrom[0].secretRef.name: Required value"]),
]

MOUNTS = [
    (
        web(volumeMounts=[{"name": "x", "mountPath": "/x"}]),
        [f'{C}.volumeMounts[0].name: Not found: "x"'],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[{"name": "c", "image": "i", "volumeMounts": [{"name": "x"}]}],
        ),
        [f"{C}.volumeMounts[0].mountPath: Required value"],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[
                {
                    "name": "c",
                    "image": "i",
                    "volumeMounts": [{"name": "x", "mountPath": "/m"}, {"name": "x", "mountPath": "/m"}],
                }
            ],
        ),
        [f'{C}.volumeMounts[1].mountPath: Invalid value: "/m": must be unique'],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[
                {"name": "c", "image": "i", "volumeMounts": [{"name": "x", "mountPath": "/m", "subPath": "../y"}]}
            ],
        ),
        [f"{C}.volumeMounts.subPath: Invalid value: \"../y\": must not contain '..'"],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[{"name": "c", "image": "i", "volumeDevices": [{"name": "x", "devicePath": "/dev/x"}]}],
        ),
        [
            f'{C}.volumeDevices[0].name: Invalid value: "x": '
            "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        ],
    ),
]

V = "spec.volumes[0]"

VOLUMES = [
    (volumes({"emptyDir": {}}), [f"{V}.name: Required value"]),
    (volumes({"name": "X"}), [f'{V}.name: Invalid value: "X": {LABEL}']),
    (volumes({"name": "x"}, {"name": "x"}), ['spec.volumes[1].name: Duplicate value: "x"']),
    (
        volumes({"name": "x", "emptyDir": {}, "hostPath": {"path": "/x"}}),
        [f"{V}.hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    (volumes({"name": "x", "hostPath": {}}), [f"{V}.hostPath.path: Required value"]),
    (
        volumes({"name": "x", "hostPath": {"path": "/x", "type": "Dir"}}),
        [
            f'{V}.hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", '
            '"Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'
        ],
    ),
    (volumes({"name": "x", "persistentVolumeClaim": {}}), [f"{V}.persistentVolumeClaim.claimName: Required value"]),
    (volumes({"name": "x", "configMap": {}}), [f"{V}.configMap.name: Required value"]),
    (
        volumes({"name": "x", "secret": {"secretName": "s", "defaultMode": 999}}),
        [f"{V}.secret.defaultMode: Invalid value: 999: must be a number between 0 and 0777 (octal), both inclusive"],
    ),
    (
        volumes({"name": "x", "configMap": {"name": "c", "items": [{"key": "k", "path": "/abs"}]}}),
        [f'{V}.configMap.items[0].path: Invalid value: "/abs": must be a relative path'],
    ),
    (
        volumes({"name": "x", "nfs": {"server": "s", "path": "rel"}}),
        [f'{V}.nfs.path: Invalid value: "rel": must be an absolute path'],
    ),
    (
        volumes({"name": "x", "downwardAPI": {"items": [{"path": "p"}]}}),
        [f"{V}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"],
    ),
    (
        volumes(
            {"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}]}}
        ),
        [
            f"{V}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: "
            "may not specify a duration less than 10 minutes"
        ],
    ),
    (
        volumes(
            {
                "name": "x",
                "projected": {
                    "sources": [
                        {"configMap": {"name": "a", "items": [{"key": "k", "path": "p"}]}},
                        {"secret": {"name": "b", "items": [{"key": "k", "path": "p"}]}},
                    ]
                },
            }
        ),
        [f'{V}.projected: Invalid value: "b": conflicting duplicate paths'],
    ),
    (volumes({"name": "x", "ephemeral": {}}), [f"{V}.ephemeral.volumeClaimTemplate: Required value"]),
]

RESOURCES = [
    (
        web(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
        [f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ),
    (
        web(resources={"requests": {"cpu": "-1"}}),
        [f'{C}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    (
        web(resources={"requests": {"cores": "1"}}),
        [
            f'{C}.resources.requests[cores]: Invalid value: "cores": '
            "must be a standard resource type or fully qualified",
            f'{C}.resources.requests[cores]: Invalid value: "cores": must be a standard resource for containers',
        ],
    ),
    (
        web(resources={"requests": {"example.com/gpu": "1"}}),
        [f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"],
    ),
    (
        web(resources={"limits": {"example.com/gpu": "1500m"}, "requests": {"example.com/gpu": "1500m"}}),
        [
            f'{C}.resources.limits[example.com/gpu]: Invalid value: "1500m": must be an integer',
            f'{C}.resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer',
        ],
    ),
]

PROBES = [
    (web(livenessProbe={}), [f"{C}.livenessProbe: Required value: must specify a handler type"]),
    (
        web(livenessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}),
        [f"{C}.livenessProbe.tcpSocket: Forbidden: {ONE_HANDLER}"],
    ),
    (
        web(livenessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}),
        [f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    (web(readinessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}), []),
    (
        web(readinessProbe={"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 1}),
        [f"{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes"],
    ),
    (
        web(startupProbe={"tcpSocket": {"port": 1}, "initialDelaySeconds": -1}),
        [f"{C}.startupProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        web(livenessProbe={"httpGet": {"port": 0}}),
        [f"{C}.livenessProbe.httpGet.port: Invalid value: 0: {PORT_RANGE}"],
    ),
    (
        web(livenessProbe={"httpGet": {"port": 80, "scheme": "http"}}),
        [
            f'{C}.livenessProbe.httpGet.scheme: Unsupported value: "http": supported values: "HTTP", "HTTPS"',
        ],
    ),
    (web(livenessProbe={"exec": {}}), [f"{C}.livenessProbe.exec.command: Required value"]),
    (
        web(lifecycle={"preStop": {}}),
        [f"{C}.lifecycle.preStop: Required value: must specify a handler type"],
    ),
    (
        web(lifecycle={"preStop": {"sleep": {"seconds": 31}}}),
        [
            f"{C}.lifecycle.preStop.sleep: Invalid value: 31: "
            "must be non-negative and less than terminationGracePeriodSeconds (30)"
        ],
    ),
]

POD_FIELDS = [
    (
        pod(restartPolicy="always"),
        ['spec.restartPolicy: Unsupported value: "always": supported values: "Always", "OnFailure", "Never"'],
    ),
    (
        pod(dnsPolicy="Cluster"),
        [
            'spec.dnsPolicy: Unsupported value: "Cluster": supported values: '
            '"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'
        ],
    ),
    (
        pod(dnsPolicy="None"),
        ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    (
        pod(dnsPolicy="None", dnsConfig={}),
        [
            "spec.dnsConfig.nameservers: Required value: "
            "must provide at least one DNS nameserver when `dnsPolicy` is None"
        ],
    ),
    (
        pod(dnsConfig={"nameservers": ["one"]}),
        [f'spec.dnsConfig.nameservers[0]: Invalid value: "one": {IP}'],
    ),
    (pod(hostname="A"), [f'spec.hostname: Invalid value: "A": {LABEL}']),
    (pod(subdomain="a.b"), ['spec.subdomain: Invalid value: "a.b": must not contain dots']),
    (pod(hostAliases=[{"ip": "x"}]), [f'spec.hostAliases[0].ip: Invalid value: "x": {IP}']),
    (
        pod(activeDeadlineSeconds=0),
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    (pod(terminationGracePeriodSeconds=0), []),
    (
        pod(tolerations=[{"value": "v"}]),
        [
            'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, '
            'which means "match all values and all keys"'
        ],
    ),
    (
        pod(tolerations=[{"key": "k", "operator": "Is"}]),
        ['spec.tolerations[0].operator: Unsupported value: "Is": supported values: "Equal", "Exists"'],
    ),
    (
        pod(tolerations=[{"operator": "Exists", "tolerationSeconds": 3}]),
        ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ),
    (
        pod(tolerations=[{"operator": "Exists", "effect": "Never"}]),
        [
            'spec.tolerations[0].effect: Unsupported value: "Never": supported values: '
            '"NoSchedule", "PreferNoSchedule", "NoExecute"'
        ],
    ),
    (
        pod(securityContext={"runAsUser": -1}),
        ["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    (
        pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
        [
            "spec.securityContext.seccompProfile.localhostProfile: Required value: "
            "must be set when seccomp type is Localhost"
        ],
    ),
    (
        pod(
            topologySpreadConstraints=[
                {"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "Never", "labelSelector": {}}
            ]
        ),
        [
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Never": '
            'supported values: "DoNotSchedule", "ScheduleAnyway"',
        ],
    ),
    (
        pod(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}),
        [
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
            "Required value: must have at least one node selector term"
        ],
    ),
    (
        pod(schedulingGates=[{"name": "g"}], nodeName="n"),
        ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    ),
]


@pytest.mark.parametrize(
    ("given", "expected"),
    [*CONTAINERS, *PORTS, *ENV, *MOUNTS, *VOLUMES, *RESOURCES, *PROBES, *POD_FIELDS],
)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected


def test_node_selector_is_made_of_labels() -> None:
    (error,) = errors_of(pod(nodeSelector={"disk": "not ok"}))
    assert error.startswith('spec.nodeSelector: Invalid value: "not ok": a valid label must be an empty string')


def test_bad_quantity_is_named() -> None:
    (error,) = errors_of(web(resources={"limits": {"memory": "1GB"}, "requests": {"memory": "1"}}))
    assert error.startswith(f'{C}.resources.limits[memory]: Invalid value: "1GB": quantities must match')


@pytest.mark.parametrize(("cost", "fine"), [("5", True), ("-5", True), ("0", True), ("5.5", False), ("05", False)])
def test_deletion_cost_is_a_number(cost: str, fine: bool) -> None:
    made = pod()
    made["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    expected = (
        f'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "{cost}": '
        "must be a 32bit integer"
    )
    assert errors_of(made) == ([] if fine else [expected])


def test_template_may_hold_blank_images_but_no_ephemeral_containers() -> None:
    template: Obj = {
        "metadata": {"labels": {"a b": "c"}},
        "spec": {
            "containers": [{"name": "c", "image": " "}],
            "ephemeralContainers": [{"name": "d", "image": "i"}],
        },
    }
    default_template(template)
    errors = [str(error) for error in template_spec("spec.template", template)]
    assert errors[0].startswith('spec.template.labels: Invalid value: "a b": name part must consist of')
    assert errors[1:] == [
        "spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"
    ]


WINDOWS: list[tuple[Obj, list[str]]] = [
    (pod(os={"name": "linux"}), []),
    (pod(os={"name": "windows"}, hostNetwork=True, securityContext={"windowsOptions": {"runAsUserName": "u"}}), []),
    (
        pod(os={"name": "linux"}, securityContext={"windowsOptions": {"runAsUserName": "u"}}),
        ["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"],
    ),
    (
        web(securityContext={"windowsOptions": {"hostProcess": True}}),
        ["spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"],
    ),
    (
        pod(
            containers=[
                {"name": "a", "image": "i", "securityContext": {"windowsOptions": {"hostProcess": True}}},
                {"name": "b", "image": "i"},
            ],
            hostNetwork=True,
        ),
        [
            'spec: Invalid value: "": If pod contains any hostProcess containers then all containers must be '
            "HostProcess containers"
        ],
    ),
]


@pytest.mark.parametrize(("given", "expected"), WINDOWS)
def test_operating_systems_are_not_mixed(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected


def test_windows_pod_has_nothing_of_linux() -> None:
    given = pod(os={"name": "windows"}, hostPID=True, securityContext={"fsGroup": 1})
    given["spec"]["containers"][0]["securityContext"] = {"privileged": False}
    assert errors_of(given) == [
        f"{path}: Forbidden: cannot be set for a windows pod"
        for path in ("spec.hostPID", "spec.securityContext.fsGroup", f"{C}.securityContext.privileged")
    ]
