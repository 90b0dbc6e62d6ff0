"""The commands and their options. A command's module is named here as text and imported only when it runs."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import NoReturn

from kubelite import __version__
from kubelite.config import DEFAULT_NAME, POD_CIDR, SERVICE_CIDR, Settings

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_DEFAULT = Settings()
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class Parser(argparse.ArgumentParser):
    """Complains as every other error does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\nsee: {self.prog} --help\n")


def cluster_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a cluster name: small letters, digits and '-' inside, at most 40 characters"
        )
    return text


def network(text: str) -> IPv4Network:
    try:
        found = IPv4Network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; write it as {POD_CIDR}") from None
    if found.prefixlen > 24:
        raise argparse.ArgumentTypeError(f"{text} is too small: /24 or larger")
    return found


def domain(text: str) -> str:
    if not _DOMAIN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a domain name")
    return text


def port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


Options = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Command:
    """`run` is `module:function` inside `kubelite.cli`; a group has `commands` in its place."""

    name: str
    help: str
    run: str = ""
    options: Sequence[Options] = ()
    commands: Sequence[Command] = ()


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name", type=cluster_name, default=DEFAULT_NAME, help=f"the cluster's name (default {DEFAULT_NAME})"
    )


def _up(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--install-engine", action="store_true", help="install and start a container engine where none answers (root)")
    add("--pod-cidr", type=network, metavar="NETWORK", help=f"addresses of pods (default {POD_CIDR})")
    add("--service-cidr", type=network, metavar="NETWORK", help=f"addresses of Services (default {SERVICE_CIDR})")
    add("--domain", type=domain, help=f"the cluster's domain (default {_DEFAULT.domain})")
    add("--api-port", type=port, metavar="PORT", help=f"the API's port on 127.0.0.1 (default {_DEFAULT.api_port})")
    add("--move", action="store_true", help="bring an existing cluster up on another engine than it was on")
    add("--foreground", action="store_true", help="serve in this process, log on stderr, until it is stopped")


def _down(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep-pods", action="store_true", help="stop the control plane only; containers run on")


def _delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep-volumes", action="store_true", help="leave the volumes' directories on disk")
    parser.add_argument(
        "--without-engine", action="store_true", help="remove the files only: the containers' engine is gone for good"
    )


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--without-kubectl", action="store_true", help="use kubelite's own answers even where kubectl is installed"
    )


def _kubeconfig(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--merge", action="store_true", help="write it into $KUBECONFIG's first file, else ~/.kube/config"
    )


def _apply(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="a manifest, a directory of them, or - for standard input; may be repeated",
    )
    add("-n", "--namespace", help="for objects that name none (default: default)")


def _service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", metavar="NAME", help="the Service's name")
    parser.add_argument("-n", "--namespace", help="its namespace (default: default)")


def _image_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", nargs="*", metavar="IMAGE", help="pause, httpd, tools or kubelite (default: all)")


def _references(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", nargs="+", metavar="IMAGE", help="such as nginx:1.27")


def _archives(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", type=Path, metavar="FILE", help="made by docker save")


COMMANDS = (
    Command("up", "start a cluster and wait until it is ready", "cluster:up", (_name, _up)),
    Command("down", "stop a cluster; objects, claims and directories stay", "cluster:down", (_name, _down)),
    Command("delete", "remove a cluster and everything it made", "cluster:delete", (_name, _delete)),
    Command("status", "tell how a cluster is; exit code 0 only when it is up", "status:show", (_name,)),
    Command("demo", "start a cluster and walk through a StatefulSet's life", "demo:demo", (_name, _demo)),
    Command("kubeconfig", "print what kubectl needs to reach a cluster", "kubeconfig:show", (_name, _kubeconfig)),
    Command("apply", "create or update objects from manifests", "apply:apply", (_name, _apply)),
    Command("explain-service", "show how a Service reaches its pods", "explain_service:explain", (_name, _service)),
    Command("volumes", "list the volumes' directories and who uses them", "volumes:show", (_name,)),
    Command(
        "images",
        "the images that a cluster needs",
        commands=(
            Command("list", "which there are, and whether they are current", "images:show"),
            Command("build", "build them anew", "images:build", (_image_names,)),
            Command("pull", "pull images through the engine", "images:pull", (_references,)),
            Command("load", "load images from files", "images:load", (_archives,)),
        ),
    ),
    Command(
        "engine",
        "the container engine under the clusters",
        commands=(
            Command("status", "which engine answers; exit code 0 only when one does", "engine:status"),
            Command("install", "install the distribution's Docker and start it (root)", "engine:install"),
            Command("start", "start kubelite's own engine (root)", "engine:start"),
            Command("stop", "stop kubelite's own engine, and no other (root)", "engine:stop"),
        ),
    ),
    Command("version", "print the versions of kubelite and of the API it serves", "main:version", (_name,)),
)


def build() -> argparse.ArgumentParser:
    parser = Parser(
        prog="kubelite", description="A local mini-cluster: the Kubernetes API over plain Docker containers."
    )
    parser.add_argument("--version", action="version", version=f"kubelite {__version__}")
    _add(parser, COMMANDS)
    return parser


def _add(parser: argparse.ArgumentParser, commands: Iterable[Command]) -> None:
    group = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands:
        added = group.add_parser(command.name, help=command.help, description=command.help)
        for options in command.options:
            options(added)
        if command.commands:
            _add(added, command.commands)
        else:
            added.set_defaults(run=command.run)
