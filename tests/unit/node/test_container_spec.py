from __future__ import annotations

from typing import Any

import pytest

from kubelite.config import Settings
from kubelite.node import docker_json
from kubelite.node.container_spec import Placement, container_spec, sandbox_spec
from kubelite.node.environment import ConfigError, Surroundings
from kubelite.node.fields import Machine
from kubelite.node.runtime import ContainerSpec, Image, Mount, PortMapping
from kubelite.node.security import security_of
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod, sandbox

IMAGE = Image("sha256:1", ("httpd@sha256:2",))
GIB = 1024**3


def spec_of(of: Obj, image: Image = IMAGE, **fields: Any) -> ContainerSpec:
    place = Placement(sandbox(), 2, 20, [Mount("/a", "/b", read_only=True)], "/message")
    around = Surroundings(find=lambda plural, name: None, machine=Machine(2, 8 * GIB))
    return container_spec(of, container(**fields), "kubelite", image, place, around)


def test_names_and_labels_let_a_later_kubelet_adopt() -> None:
    spec = spec_of(pod())
    assert spec.engine_name == "kubelite_default_web-0_web_2"
    assert spec.labels["kubelite.cluster"] == "kubelite"
    assert spec.labels["io.kubernetes.pod.uid"] == "u-1"
    assert spec.labels["io.kubernetes.container.name"] == "web"
    assert spec.labels["com.docker.compose.project"] == "kubelite"
    assert (spec.network, spec.ipc) == ("container:sandbox", "container:sandbox")


@pytest.mark.parametrize(
    ("fields", "entrypoint", "cmd"),
    [
        ({}, None, None),
        ({"args": ["x"]}, None, ["x"]),
        ({"command": ["sh"]}, ["sh"], []),
        ({"command": ["sh"], "args": ["-c", "$(X)"]}, ["sh"], ["-c", "$(X)"]),
    ],
)
def test_command_replaces_the_images_entrypoint_and_arguments(fields: Obj, entrypoint: Any, cmd: Any) -> None:
    spec = spec_of(pod(), **fields)
    assert (spec.command, spec.args) == (entrypoint, cmd)


def test_create_body_is_the_engines() -> None:
    spec = spec_of(pod(shareProcessNamespace=True), env=[{"name": "A", "value": "1"}], workingDir="/w", tty=True)
    body = docker_json.create_body(spec, "kubelite")
    assert (body["Image"], body["Env"], body["WorkingDir"], body["Tty"]) == ("httpd:2.4", ["A=1"], "/w", True)
    assert "Entrypoint" not in body
    host = body["HostConfig"]
    assert host["PidMode"] == "container:sandbox"
    assert host["Mounts"][0]["Source"] == "/a"
    assert host["Mounts"][0]["ReadOnly"] is True


def test_sandbox_has_the_address_name_and_host_ports() -> None:
    of = pod(container(ports=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]), hostname="db")
    of["spec"]["initContainers"] = [
        container("side", restartPolicy="Always", ports=[{"containerPort": 82, "hostPort": 8082}]),
        container("init", ports=[{"containerPort": 83, "hostPort": 8083}]),
    ]
    spec = sandbox_spec(of, Settings(), "pause", 0, "172.30.0.16", "cluster.local")
    assert (spec.hostname, spec.address, spec.network) == ("db", "172.30.0.16", "kubelite")
    assert spec.ports == (PortMapping(80, 8080), PortMapping(82, 8082))
    body = docker_json.create_body(spec, "kubelite")
    endpoint = body["NetworkingConfig"]["EndpointsConfig"]["kubelite"]
    assert endpoint["IPAMConfig"] == {"IPv4Address": "172.30.0.16"}
    assert body["HostConfig"]["PortBindings"]["82/tcp"] == [{"HostIp": "", "HostPort": "8082"}]


def test_sandboxs_full_name_has_to_fit_the_kernel() -> None:
    of = pod(hostname="db", subdomain="headless", setHostnameAsFQDN=True)
    spec = sandbox_spec(of, Settings(), "pause", 0, "172.30.0.16", "cluster.local")
    assert spec.hostname == "db.headless.default.svc.cluster.local"
    of["spec"]["hostname"] = "d" * 32
    problem = r"^failed to construct FQDN .* is too long \(64 characters is the max, 67 characters requested\)$"
    with pytest.raises(ConfigError, match=problem):
        sandbox_spec(of, Settings(), "pause", 0, "172.30.0.16", "cluster.local")


def test_sandbox_has_the_kernels_settings_by_their_dotted_names() -> None:
    sysctls = [
        {"name": "net/ipv4/ip_unprivileged_port_start", "value": "0"},
        {"name": "kernel.shm_rmid_forced", "value": "1"},
    ]
    spec = sandbox_spec(pod(securityContext={"sysctls": sysctls}), Settings(), "pause", 0, "", "cluster.local")
    settings = {"net.ipv4.ip_unprivileged_port_start": "0", "kernel.shm_rmid_forced": "1"}
    assert docker_json.create_body(spec, "kubelite")["HostConfig"]["Sysctls"] == settings


def test_sandbox_of_the_host_network_has_no_address_or_name() -> None:
    spec = sandbox_spec(pod(hostNetwork=True, hostPID=True), Settings(), "pause", 0, "", "cluster.local")
    assert (spec.network, spec.hostname, spec.address, spec.pid) == ("host", "", "", "host")


# --- security


def security(of: Obj, image: Image = IMAGE, **context: Any) -> Any:
    return security_of(of, container(securityContext=context), image)


def test_container_is_not_confined_unless_asked() -> None:
    assert security(pod()).options == ("seccomp=unconfined",)
    assert security(pod(), seccompProfile={"type": "RuntimeDefault"}).options == ()
    local = {"type": "Localhost", "localhostProfile": "audit.json"}
    assert security(pod(), seccompProfile=local).options == ("seccomp=localhost/audit.json",)
    assert security(pod(), allowPrivilegeEscalation=False).options == ("no-new-privileges", "seccomp=unconfined")


@pytest.mark.parametrize(
    ("profile", "options"),
    [
        ({"type": "RuntimeDefault"}, ()),
        ({"type": "Unconfined"}, ("apparmor=unconfined",)),
        ({"type": "Localhost", "localhostProfile": "mine"}, ("apparmor=mine",)),
    ],
)
def test_app_armor_profile_is_the_engines_to_load(profile: Obj, options: tuple[str, ...]) -> None:
    of = pod(securityContext={"appArmorProfile": profile, "seccompProfile": {"type": "RuntimeDefault"}})
    assert security(of).options == options


def test_container_settings_win_over_the_pods() -> None:
    of = pod(securityContext={"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]})
    assert security(of).user == "1:2"
    assert security(of, runAsUser=9).user == "9:2"
    assert security(of).groups == ("4", "3")


def test_group_alone_keeps_the_images_user() -> None:
    assert security(pod(), Image("x", user="33"), runAsGroup=5).user == "33:5"


@pytest.mark.parametrize(
    ("context", "user", "message"),
    [
        ({}, "", "container has runAsNonRoot and image will run as root"),
        ({}, "www", "container has runAsNonRoot and image has non-numeric user (www)"),
        ({"runAsUser": 0}, "", "container's runAsUser breaks non-root policy"),
    ],
)
def test_root_is_refused_where_it_must_not_be(context: Obj, user: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        security(pod(), Image("x", user=user), runAsNonRoot=True, **context)
    assert str(refused.value).startswith(message)


def test_other_users_pass_the_non_root_check() -> None:
    assert security(pod(), Image("x", user="33"), runAsNonRoot=True).user == ""


def host_config(**context: Any) -> Obj:
    """What the engine is asked for."""
    found: Obj = docker_json.create_body(spec_of(pod(), securityContext=context), "kubelite")["HostConfig"]
    return found


def test_privileged_container_is_asked_for_as_such_and_confined_by_nothing() -> None:
    confined = {"seccompProfile": {"type": "RuntimeDefault"}, "allowPrivilegeEscalation": False}
    asked = host_config(privileged=True, **confined)
    assert asked["Privileged"] is True
    assert "SecurityOpt" not in asked
    assert "Privileged" not in host_config(privileged=False)


def test_every_capability_may_be_asked_for() -> None:
    asked = host_config(capabilities={"add": ["ALL"], "drop": ["NET_RAW", "CAP_CHOWN"]})
    assert (asked["CapAdd"], asked["CapDrop"]) == (["ALL"], ["NET_RAW", "CAP_CHOWN"])


# --- the engine's answers


def inspected(state: Obj, **fields: Any) -> Obj:
    return {
        "Id": "abc",
        "Name": "/kubelite_default_web-0_web_1",
        "Created": "2026-01-02T03:04:05.123456789Z",
        "Image": "sha256:1",
        "State": {"StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z", **state},
        "Config": {"Image": "httpd", "Labels": {"io.kubernetes.container.restartCount": "1", "kubelite.backoff": "20"}},
        "HostConfig": {"NetworkMode": "container:box"},
        **fields,
    }


def test_running_container_is_read_back() -> None:
    found = docker_json.container(inspected({"Status": "running", "Running": True, "ExitCode": 0}))
    assert (found.state, found.attempt, found.backoff, found.sandbox_id) == ("running", 1, 20, "box")
    assert found.engine_name == "kubelite_default_web-0_web_1"
    assert found.created_at is not None
    assert found.created_at.microsecond == 123456


def test_container_that_could_not_start_counts_as_ended() -> None:
    found = docker_json.container(inspected({"Status": "created", "ExitCode": 127, "Error": "no such file"}))
    assert (found.state, found.exit_code, found.started_at) == ("exited", 127, None)
    assert found.finished_at == found.created_at


def test_fresh_container_is_created() -> None:
    assert docker_json.container(inspected({"Status": "created", "ExitCode": 0, "Error": ""})).state == "created"
