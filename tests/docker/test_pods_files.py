"""What pods see of ConfigMaps, Secrets, tokens, themselves and parts of volumes, in files and in their environment."""

from __future__ import annotations

import base64
from functools import partial

import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.namespace import KubectlError, Namespace
from tests.docker.made_pods import container, create, made, statuses, told
from tests.docker.running_cluster import eventually


def read(kubelite: Namespace, pod: str, script: str, name: str = "main") -> list[str]:
    return kubelite.kubectl("exec", pod, "-c", name, "--", "sh", "-c", script).stdout.split()


def patched(kubelite: Namespace, plural: str, name: str, change: str) -> None:
    kubelite.kubectl("patch", plural, name, "-p", change)


SOURCES = [
    {"configMap": {"name": "settings", "items": [{"key": "color", "path": "deep/color", "mode": 0o600}]}},
    {"secret": {"name": "keys"}},
    {"configMap": {"name": "later", "optional": True}},
    {
        "downwardAPI": {
            "items": [
                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                {"path": "note", "fieldRef": {"fieldPath": "metadata.annotations['note']"}},
                {"path": "limit", "resourceFieldRef": {"containerName": "main", "resource": "limits.memory"}},
            ]
        }
    },
    {"serviceAccountToken": {"path": "token", "audience": "vault"}},
]


def test_mounted_sources_change_in_place_and_all_at_once(kubelite: Namespace) -> None:
    binary = {"raw": base64.b64encode(b"\x00\xff").decode()}
    made(kubelite, "configmaps", "ConfigMap", "settings", data={"color": "blue", "shape": "round"}, binaryData=binary)
    made(kubelite, "secrets", "Secret", "keys", stringData={"key": "first"})
    mounts = [
        {"name": "settings", "mountPath": "/settings"},
        {"name": "settings", "mountPath": "/color", "subPath": "color"},
        {"name": "keys", "mountPath": "/keys"},
        {"name": "all", "mountPath": "/all"},
    ]
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "all", "projected": {"sources": SOURCES, "defaultMode": 0o640}},
    ]
    main = container("main", volumeMounts=mounts, resources={"limits": {"memory": "32Mi"}})
    create(kubelite, "reader", main, volumes=volumes, annotations={"note": "a"})
    kubelite.wait("pods", "reader")
    look = partial(read, kubelite, "reader")

    assert look("readlink /settings/color /keys/key /all/deep") == ["..data/color", "..data/key", "..data/deep"]
    assert look("stat -Lc %a /keys/key /all/deep/color /all/labels; od -An -tx1 /settings/raw") == [
        *("400", "600", "640"),
        *("00", "ff"),
    ]
    shown = "cd /all; cat deep/color; echo; cat key; echo; cat labels; echo; cat note; echo; cat limit; echo; ls"
    listed = ["deep", "key", "labels", "limit", "note", "token"]
    assert look(shown) == ["blue", "first", 'app="reader"', "a", str(32 * 1024**2), *listed]
    (before, token) = look("readlink /settings/..data; md5sum < /all/token | cut -c1-32")

    patched(kubelite, "configmap", "settings", '{"data": {"color": "red", "shape": null, "size": "big"}}')
    patched(kubelite, "secret", "keys", '{"stringData": {"key": "second"}}')
    patched(kubelite, "pod", "reader", '{"metadata": {"labels": {"app": "x"}, "annotations": {"note": "b"}}}')
    made(kubelite, "configmaps", "ConfigMap", "later", data={"late": "1"})
    eventually(lambda: look("cat /settings/color; echo; cat /settings/size; echo; ls /settings") == RED)
    changed = ["red", "second", 'app="x"', "b", str(32 * 1024**2), "deep", "key", "labels", "late", *listed[3:]]
    eventually(lambda: look(shown) == changed, told=lambda: look(shown))
    (after, kept, *directories) = look("readlink /settings/..data; md5sum < /all/token | cut -c1-32; ls /settings -A")
    assert (after != before, kept) == (True, token)
    assert sorted(directories) == sorted([after, "..data", *RED[2:]])

    assert look("cat /color") == ["blue"]
    with pytest.raises(KubectlError):
        look("echo green >/settings/color")
    kubelite.kubectl("exec", "reader", "--", "kill", "1", check=False)  # which may take the exec along
    kubelite.wait("pods", "reader", lambda pod: bool(statuses(pod)["main"]["restartCount"]))
    kubelite.wait("pods", "reader")
    assert look("cat /color") == ["red"]


RED = ["red", "big", "color", "raw", "size"]


def test_deleted_sources_stay_until_there_are_others_and_immutable_ones_for_good(kubelite: Namespace) -> None:
    made(kubelite, "secrets", "Secret", "keys", stringData={"key": "old"})
    made(kubelite, "configmaps", "ConfigMap", "fixed", data={"key": "old"}, immutable=True)
    optional = {"secretName": "keys", "optional": True}
    volumes = [
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "optional", "secret": optional},
        {"name": "fixed", "configMap": {"name": "fixed"}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    create(kubelite, "reader", container("main", volumeMounts=mounts), volumes=volumes)
    kubelite.wait("pods", "reader")
    shown = partial(read, kubelite, "reader", "for f in keys optional fixed; do cat /$f/key || echo none; echo; done")

    refused = kubelite.kubectl("patch", "configmap", "fixed", "-p", '{"data": {"key": "new"}}', check=False)
    told_why = "data: Forbidden: field is immutable when `immutable` is set"
    assert refused.stderr == f'The ConfigMap "fixed" is invalid: {told_why}\n'
    kubelite.kubectl("delete", "secret/keys", "configmap/fixed")
    eventually(lambda: shown() == ["old", "none", "old"], told=shown)
    problem = 'FailedMount MountVolume.SetUp failed for volume "keys" : secret "keys" not found'
    eventually(lambda: problem in told(kubelite, "reader"), told=lambda: told(kubelite, "reader"))
    made(kubelite, "configmaps", "ConfigMap", "fixed", data={"key": "new"})
    made(kubelite, "secrets", "Secret", "keys", stringData={"key": "new"})
    eventually(lambda: shown() == ["new", "new", "old"], told=shown)


def field(name: str, path: str) -> Obj:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def amount(name: str, resource: str, divisor: str = "1") -> Obj:
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}}


ENVIRONMENT = [
    {"name": "PLAIN", "value": "own"},
    field("NAME", "metadata.name"),
    field("SPACE", "metadata.namespace"),
    field("ID", "metadata.uid"),
    field("NOTE", "metadata.annotations['note']"),
    field("NODE", "spec.nodeName"),
    field("ACCOUNT", "spec.serviceAccountName"),
    field("ADDRESSES", "status.podIPs"),
    field("HOSTS", "status.hostIPs"),
    amount("CPU", "limits.cpu", "1m"),
    amount("ASKED", "requests.cpu", "1m"),
    amount("MEMORY", "requests.memory", "1Mi"),
    {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "no", "optional": True}}},
    {"name": "MADE", "value": "$(NAME).$(SET_color)-$(PLAIN)-$(LATER)-$$(NAME)-$(KUBERNETES_SERVICE_PORT)"},
    {"name": "LATER", "value": "x"},
]


def test_environment_is_made_of_sources_fields_amounts_and_references(kubelite: Namespace) -> None:
    made(kubelite, "configmaps", "ConfigMap", "settings", data={"color": "blue", "PLAIN": "lost", "1.odd-name": "1"})
    sources = [
        {"configMapRef": {"name": "settings"}, "prefix": "SET_"},
        {"configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "no", "optional": True}},
    ]
    limits = {"limits": {"cpu": "250m", "memory": "32Mi"}, "requests": {"cpu": "100m"}}
    main = container("main", env=ENVIRONMENT, envFrom=sources, resources=limits)
    create(kubelite, "told", main, annotations={"note": "a b"})
    pod = kubelite.wait("pods", "told")
    given = kubelite.exec("told", "sh", "-c", "tr '\\0' '\\n' </proc/1/environ").splitlines()
    found = dict(line.split("=", 1) for line in given)
    host, address = pod["status"]["hostIP"], pod["status"]["podIP"]
    assert (pod["status"]["podIPs"], pod["status"]["hostIPs"]) == ([{"ip": address}], [{"ip": host}])
    assert {name: found.get(name) for name in (*EXPECTED, "SPACE", "ID", "NODE", "ADDRESSES", "HOSTS")} == {
        **EXPECTED,
        "SPACE": kubelite.namespace,
        "ID": meta.uid(pod),
        "NODE": pod["spec"]["nodeName"],
        "ADDRESSES": address,
        "HOSTS": host,
    }


EXPECTED = {
    "PLAIN": "own",
    "color": "blue",
    "1.odd-name": "1",
    "SET_color": "blue",
    "SET_PLAIN": "lost",
    "SET_1.odd-name": "1",
    "NAME": "told",
    "NOTE": "a b",
    "ACCOUNT": "default",
    "CPU": "250",
    "ASKED": "100",
    "MEMORY": "32",
    "GONE": None,
    "MADE": "told.blue-own-$(LATER)-$(NAME)-443",
}


TRAPS = """\
cd /v && mkdir in && echo text >file && ln -s in good && ln -s /etc out && ln -s loop loop && ln -s ../../../../etc/no up
"""


def test_sub_paths_stay_in_their_volume_and_expressions_can_be_mended(kubelite: Namespace) -> None:
    def mounting(name: str, **part: str) -> Obj:
        env = [field("NOTE", "metadata.annotations['note']"), {"name": "UP", "value": ".."}]
        mounts = [{"name": "v", "mountPath": "/part", **part}, {"name": "v", "mountPath": "/v"}]
        return container(name, env=env, volumeMounts=mounts)

    parts = {
        "good": {"subPath": "good"},
        "file": {"subPath": "file"},
        "made": {"subPathExpr": "made/$(NOTE)"},
        "out": {"subPath": "out"},
        "below": {"subPath": "out/new"},
        "loop": {"subPath": "loop"},
        "up": {"subPath": "up/new"},
        "back": {"subPathExpr": "$(UP)/x"},
    }
    traps = container("traps") | {
        "command": ["sh", "-c", TRAPS],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    volumes = [{"name": "v", "emptyDir": {}}]
    create(
        kubelite,
        "parts",
        *(mounting(name, **part) for name, part in parts.items()),
        initContainers=[traps],
        volumes=volumes,
    )
    prepare, make = (f'failed to {verb} for volumeMount "v" of container ' for verb in ("prepare subPath", MAKE))
    expected = {
        "good": "",
        "file": "",
        "made": "missing value for NOTE",
        "out": f'{prepare}"out"',
        "below": f'{make}"below"',
        "loop": f'{prepare}"loop"',
        "up": f'{make}"up"',
        "back": "unable to provision SubPath `../x`: must not contain '..'",
    }
    kubelite.wait("pods", "parts", lambda pod: problems(pod) == expected)
    assert read(kubelite, "parts", "touch /part/x; ls /v/in; ls /v", "good") == ["x", *sorted(("file", *LINKS))]
    kubelite.kubectl("annotate", "pod", "parts", "note=deep/er")
    kubelite.wait("pods", "parts", lambda pod: problems(pod) == expected | {"made": ""})
    assert read(kubelite, "parts", "ls /v/made/deep", "good") == ["er"]


MAKE = "create subPath directory"
LINKS = ("good", "in", "loop", "out", "up")


def problems(pod: Obj) -> dict[str, str]:
    """What keeps each container from running; ? as long as that isn't known."""
    found = {}
    for name, entry in statuses(pod).items():
        waiting = entry["state"].get("waiting") or {}
        wrong = waiting.get("message", "") if waiting.get("reason") == "CreateContainerConfigError" else "?"
        found[name] = "" if "running" in entry["state"] else wrong
    return found
