"""A pod that sends back what it gets, and bytes sent to it through a forwarded port."""

from __future__ import annotations

import hashlib
import json
import socket
import threading

ECHO = (
    "use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 9000, Listen => 5, ReuseAddr => 1) or die;"
    "$SIG{TERM} = sub { exit }; while ($c = $s->accept) { while (sysread $c, $b, 1 << 18) {"
    "for ($o = 0; $o < length $b;) { $o += syswrite $c, $b, length($b) - $o, $o } } close $c }"
)


def echo_pod() -> str:
    """Its manifest."""
    container = {
        "name": "echo",
        "image": "kubelite/tools:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["perl", "-e", ECHO],
        "readinessProbe": {"tcpSocket": {"port": 9000}, "periodSeconds": 1},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "echo"}, "spec": spec}, indent=1) + "\n"


def digest(block: bytes, times: int) -> bytes:
    """Of so many blocks."""
    whole = hashlib.sha256()
    for _ in range(times):
        whole.update(block)
    return whole.digest()


def echoed(port: int, block: bytes, times: int) -> bytes:
    """The digest of what comes back of so many blocks, read while they are being sent."""
    received = hashlib.sha256()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        sender = threading.Thread(target=_send, args=(connection, block, times))
        sender.start()
        while data := connection.recv(1 << 18):
            received.update(data)
        sender.join()
    return received.digest()


def _send(connection: socket.socket, block: bytes, times: int) -> None:
    for _ in range(times):
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)
