import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.service import SERVICE

HTTP = {"port": 80}


def service(name: str = "web", **spec) -> Obj:
    return {"metadata": {"name": name}, "spec": {"ports": [dict(HTTP)], "selector": {"app": "web"}} | spec}


def create(cluster, name: str = "web", **spec) -> Obj:
    return cluster.create(SERVICE, service(name, **spec))


# defaults


def test_headless_service_gets_the_recorded_defaults(cluster) -> None:
    made = create(cluster, clusterIP="None", ports=[{"name": "myweb", "port": 80}])
    assert made["spec"] == {
        "ports": [{"name": "myweb", "protocol": "TCP", "port": 80, "targetPort": 80}],
        "selector": {"app": "web"},
        "clusterIP": "None",
        "clusterIPs": ["None"],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    }
    assert made["status"] == {"loadBalancer": {}}


def test_headless_service_without_selector_has_both_families(cluster) -> None:
    spec = create(cluster, clusterIP="None", selector=None)["spec"]
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])


def test_client_affinity_lasts_three_hours_unless_said(cluster) -> None:
    spec = create(cluster, sessionAffinity="ClientIP")["spec"]
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    own = {"clientIP": {"timeoutSeconds": 60}}
    assert (
        create(cluster, "b", sessionAffinity="ClientIP", sessionAffinityConfig=own)["spec"]["sessionAffinityConfig"]
        == own
    )


def test_external_name_has_no_address(cluster) -> None:
    spec = create(cluster, type="ExternalName", externalName="example.com.", ports=None)["spec"]
    assert "clusterIP" not in spec
    assert "ipFamilies" not in spec
    assert "internalTrafficPolicy" not in spec


@pytest.mark.parametrize(
    ("spec", "policy"),
    [
        ({}, None),
        ({"type": "NodePort"}, "Cluster"),
        ({"type": "LoadBalancer"}, "Cluster"),
        ({"externalIPs": ["10.1.1.1"]}, "Cluster"),
    ],
)
def test_external_traffic_policy_is_for_what_the_outside_reaches(cluster, spec: Obj, policy: str | None) -> None:
    assert create(cluster, **spec)["spec"].get("externalTrafficPolicy") == policy


# cluster addresses


def test_cluster_ip_comes_from_the_dynamic_band(cluster) -> None:
    taken = {create(cluster, f"s{number}")["spec"]["clusterIP"] for number in range(50)}
    assert len(taken) == 50
    network = cluster.settings.service_cidr
    static = {str(network[number]) for number in range(257)}
    assert not taken & static


def test_cluster_ip_that_is_asked_for_is_given(cluster) -> None:
    spec = create(cluster, clusterIP="10.254.33.250")["spec"]
    assert spec["clusterIPs"] == ["10.254.33.250"]


def test_zeros_in_front_of_a_cluster_ip_mean_nothing(cluster, refused) -> None:
    """The e2e spec of CVE-2021-29923: never octal."""
    first = create(cluster)["spec"]["clusterIP"].split(".")
    padded = ".".join([*first[:3], "011"])
    made = create(cluster, "padded", clusterIP=padded)
    assert made["spec"]["clusterIPs"] == [padded]
    assert SERVICE.warnings is not None
    assert "IPv4 field has octet with leading zero" in SERVICE.warnings(made)[0]
    again = ".".join([*first[:3], "11"])
    assert any(
        "provided IP is already allocated" in one for one in refused(lambda: create(cluster, "b", clusterIP=again))
    )


def test_cluster_ip_is_the_same_when_a_service_comes_again(cluster) -> None:
    first = create(cluster)["spec"]["clusterIP"]
    cluster.objects["services"].clear()
    assert create(cluster)["spec"]["clusterIP"] == first


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "10.254.0.1",
            'spec.clusterIPs: Invalid value: []string{"10.254.0.1"}: failed to allocate IP 10.254.0.1: '
            "provided IP is already allocated",
        ),
        (
            "1.1.1.1",
            'spec.clusterIPs: Invalid value: []string{"1.1.1.1"}: failed to allocate IP 1.1.1.1: '
            "the provided IP (1.1.1.1) is not in the valid range. The range of valid IPs is 10.254.0.0/16",
        ),
        (
            "10.254.0.0",
            'spec.clusterIPs: Invalid value: []string{"10.254.0.0"}: failed to allocate IP 10.254.0.0: '
            "the provided IP (10.254.0.0) is not in the valid range. The range of valid IPs is 10.254.0.0/16",
        ),
        (
            "web",
            'spec.clusterIPs[0]: Invalid value: "web": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
        ("fd00::1", 'spec.clusterIPs[0]: Invalid value: []string{"fd00::1"}: IPv6 is not configured on this cluster'),
    ],
)
def test_cluster_ip_that_cannot_be_had_is_refused(cluster, refused, address: str, message: str) -> None:
    create(cluster, "kubernetes", clusterIP="10.254.0.1")
    assert refused(lambda: create(cluster, clusterIP=address)) == [message]


def test_cluster_ip_does_not_change(cluster, refused) -> None:
    old = create(cluster, clusterIP="10.254.33.250")

    def change(new: Obj) -> None:
        new["spec"]["clusterIP"] = "10.254.33.251"

    assert refused(lambda: cluster.update(SERVICE, old, change)) == [
        'spec.clusterIPs[0]: Invalid value: []string{"10.254.33.251"}: may not change once set'
    ]


def test_replacement_that_names_another_cluster_ip_is_refused(cluster, refused) -> None:
    old = create(cluster, clusterIP="10.254.33.250")

    def replace(new: Obj) -> None:
        new["spec"] = service(clusterIP="10.254.33.251")["spec"]

    assert refused(lambda: cluster.update(SERVICE, old, replace)) == [
        'spec.clusterIPs[0]: Invalid value: []string{"10.254.33.251"}: may not change once set'
    ]


def test_change_of_type_forgets_the_balancer(cluster) -> None:
    old = create(cluster, type="LoadBalancer")
    old["status"] = {"loadBalancer": {"ingress": [{"ip": "10.0.0.2"}]}}
    new = cluster.update(SERVICE, old, lambda new: new["spec"].update(type="ClusterIP"))
    assert new["status"] == {"loadBalancer": {}}
    assert "allocateLoadBalancerNodePorts" not in new["spec"]


def test_update_without_the_given_values_keeps_them(cluster) -> None:
    old = create(cluster, type="NodePort")

    def replace(new: Obj) -> None:
        new["spec"] = service(type="NodePort")["spec"]

    assert cluster.update(SERVICE, old, replace)["spec"] == old["spec"]


def test_families_other_than_ipv4_are_refused(cluster, refused) -> None:
    assert refused(lambda: create(cluster, ipFamilyPolicy="RequireDualStack")) == [
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'
    ]
    assert refused(lambda: create(cluster, ipFamilies=["IPv6"])) == [
        'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'
    ]
    assert create(cluster, ipFamilyPolicy="PreferDualStack")["spec"]["ipFamilies"] == ["IPv4"]


# node ports


def test_node_port_is_given_from_the_upper_band(cluster) -> None:
    port = create(cluster, type="NodePort")["spec"]["ports"][0]["nodePort"]
    assert 30086 <= port <= 32767


def test_any_free_node_port_may_be_asked_for(cluster, refused) -> None:
    made = create(cluster, type="NodePort", ports=[{"port": 80, "nodePort": 8768}])
    assert made["spec"]["ports"][0]["nodePort"] == 8768
    assert refused(lambda: create(cluster, "b", type="NodePort", ports=[{"port": 80, "nodePort": 8768}])) == [
        "spec.ports[0].nodePort: Invalid value: 8768: provided port is already allocated"
    ]


def test_ports_of_two_protocols_share_a_node_port(cluster) -> None:
    ports = [{"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53}, {"name": "m", "port": 9153}]
    udp, tcp, metrics = (port["nodePort"] for port in create(cluster, type="NodePort", ports=ports)["spec"]["ports"])
    assert udp == tcp != metrics


def test_node_ports_of_many_services_differ(cluster) -> None:
    given = [create(cluster, f"s{number}", type="NodePort")["spec"]["ports"][0]["nodePort"] for number in range(100)]
    assert len(set(given)) == 100


def test_change_of_type_gives_and_takes_node_ports(cluster) -> None:
    old = create(cluster)
    exposed = cluster.update(SERVICE, old, lambda new: new["spec"].update(type="NodePort"))
    assert exposed["spec"]["ports"][0]["nodePort"]
    assert exposed["spec"]["externalTrafficPolicy"] == "Cluster"
    back = cluster.update(SERVICE, exposed, lambda new: new["spec"].update(type="ClusterIP"))
    assert back["spec"] == old["spec"]


def test_change_to_external_name_lets_the_address_go(cluster) -> None:
    old = create(cluster, clusterIP="10.254.7.7")
    moved = cluster.update(SERVICE, old, lambda new: new["spec"].update(type="ExternalName", externalName="a.b"))
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & moved["spec"].keys()
    assert create(cluster, "other", clusterIP="10.254.7.7")
    back = cluster.update(SERVICE, moved, lambda new: new["spec"].update(type="ClusterIP"))
    assert back["spec"]["clusterIP"] != "10.254.7.7"


def test_node_port_of_a_changed_port_is_replaced(cluster) -> None:
    old = create(cluster, type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    new = cluster.update(SERVICE, old, lambda new: new["spec"]["ports"][0].update(nodePort=30081))
    assert new["spec"]["ports"][0]["nodePort"] == 30081
    assert create(cluster, "b", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])


def test_local_load_balancer_gets_a_health_check_port(cluster) -> None:
    spec = create(cluster, type="LoadBalancer", externalTrafficPolicy="Local")["spec"]
    assert spec["healthCheckNodePort"] not in (0, spec["ports"][0]["nodePort"])


def test_load_balancer_may_do_without_node_ports(cluster) -> None:
    spec = create(cluster, type="LoadBalancer", allocateLoadBalancerNodePorts=False)["spec"]
    assert "nodePort" not in spec["ports"][0]


# validation


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ({"ports": []}, ["spec.ports: Required value"]),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 81}]},
            ["spec.ports[1].name: Required value"],
        ),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]},
            ['spec.ports[1].name: Duplicate value: "a"'],
        ),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
            [
                'spec.ports[1]: Duplicate value: core.ServicePort{Name:"", Protocol:"TCP", '
                "AppProtocol:(*string)(nil), Port:80, "
                'TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}'
            ],
        ),
        (
            {"ports": [{"port": 0, "targetPort": 80}]},
            ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"],
        ),
        (
            {"ports": [{"port": 80, "protocol": "http"}]},
            ['spec.ports[0].protocol: Unsupported value: "http": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"ports": [{"port": 80, "targetPort": "Web"}]},
            [
                'spec.ports[0].targetPort: Invalid value: "Web": '
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            ],
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30080}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {"type": "NodePort", "clusterIP": "None"},
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
        ),
        (
            {"type": "Foo"},
            [
                'spec.type: Unsupported value: "Foo": supported values: '
                '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
            ],
        ),
        (
            {"type": "ExternalName", "clusterIP": "10.254.1.1"},
            [
                "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
                "spec.externalName: Required value",
            ],
        ),
        (
            {"sessionAffinity": "Sticky"},
            ['spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"'],
        ),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}},
            [
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: "
                "must be greater than 0 and less than 86400"
            ],
        ),
        (
            {"externalIPs": ["127.0.0.1"]},
            [
                'spec.externalIPs[0]: Invalid value: "127.0.0.1": '
                "may not be in the loopback range (127.0.0.0/8, ::1/128)"
            ],
        ),
        (
            {"externalTrafficPolicy": "Local"},
            ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
        ),
        (
            {"loadBalancerSourceRanges": ["10.0.0.0/8"]},
            ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"],
        ),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": [" 10.0.0.0/8 ", "10.0.0.0"]},
            [
                'spec.LoadBalancerSourceRanges[1]: Invalid value: "10.0.0.0": '
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            ],
        ),
        (
            {"loadBalancerClass": "example.com/c"},
            ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"],
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 65536}]},
            [
                "spec.ports[0].nodePort: Invalid value: 65536: "
                "provided port is not in the valid range. The range of valid ports is 1-65535"
            ],
        ),
    ],
)
def test_wrong_service_is_refused_with_upstreams_words(cluster, refused, spec: Obj, messages: list[str]) -> None:
    assert refused(lambda: create(cluster, **spec)) == messages


def test_load_balancer_class_cannot_change(cluster, refused) -> None:
    made = create(cluster, type="LoadBalancer", loadBalancerClass="example.com/c")
    changed = refused(lambda: cluster.update(SERVICE, made, lambda new: new["spec"].update(loadBalancerClass="b.c/d")))
    assert changed == ['spec.loadBalancerClass: Invalid value: "b.c/d": may not change once set']


def test_topology_annotations_have_to_agree(cluster, refused) -> None:
    hints = "service.kubernetes.io/topology-aware-hints"
    annotations = {hints: "Auto", "service.kubernetes.io/topology-mode": "Disabled"}
    obj = {**service(), "metadata": {"name": "web", "annotations": annotations}}
    assert refused(lambda: cluster.create(SERVICE, obj)) == [
        'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Disabled": '
        f"must match annotations[{hints}] when both are specified"
    ]


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        (
            {"clusterIP": "None", "sessionAffinity": "ClientIP"},
            ["spec.SessionAffinity is ignored for headless services"],
        ),
        (
            {"type": "ExternalName", "externalName": "a.b", "externalIPs": ["10.1.1.1"]},
            ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
        ),
        ({"externalName": "a.b"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
        ({}, []),
    ],
)
def test_service_warns_of_what_it_ignores(cluster, spec: Obj, warnings: list[str]) -> None:
    assert SERVICE.warnings is not None
    assert SERVICE.warnings(create(cluster, **spec)) == warnings


# Table


@pytest.mark.parametrize(
    ("spec", "cells"),
    [
        ({"clusterIP": "None"}, ["web", "ClusterIP", "None", "<none>", "80/TCP", "10s", "app=web"]),
        (
            {"clusterIP": "10.254.0.1", "ports": [{"port": 443}], "selector": None},
            ["web", "ClusterIP", "10.254.0.1", "<none>", "443/TCP", "10s", "<none>"],
        ),
        (
            {"type": "NodePort", "clusterIP": "10.254.227.200", "ports": [{"port": 80, "nodePort": 20646}]},
            ["web", "NodePort", "10.254.227.200", "<none>", "80:20646/TCP", "10s", "app=web"],
        ),
        (
            {"type": "ExternalName", "externalName": "a.b", "ports": None, "selector": None},
            ["web", "ExternalName", "<none>", "a.b", "<none>", "10s", "<none>"],
        ),
        (
            {"clusterIP": "10.254.0.2", "externalIPs": ["10.1.1.1", "10.1.1.2"], "selector": None},
            ["web", "ClusterIP", "10.254.0.2", "10.1.1.1,10.1.1.2", "80/TCP", "10s", "<none>"],
        ),
    ],
)
def test_row_has_the_recorded_cells(cluster, now, spec: Obj, cells: list[str]) -> None:
    assert SERVICE.row is not None
    assert SERVICE.row(create(cluster, **spec), now) == cells


def test_load_balancer_waits_for_its_address(cluster, now) -> None:
    assert SERVICE.row is not None
    made = create(cluster, type="LoadBalancer")
    assert SERVICE.row(made, now)[3] == "<pending>"
    ready = meta.copy(made) | {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.2"}, {"hostname": "a.b"}]}}}
    assert SERVICE.row(ready, now)[3] == "10.0.0.2,a.b"
