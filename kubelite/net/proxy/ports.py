"""The ports of this machine that Services take: held, so that no two clusters and no other program get the same one.

The sockets carry nothing (the rules are asked first); they make `bind` fail for everyone else, and their own failure
tells that a port was taken already. Called by the proxy for each Service it looks at.
"""

from __future__ import annotations

import errno
import socket

from kubelite.net.kind import Key
from kubelite.net.rules import Listen

_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class Ports:
    """What is held for which Service."""

    def __init__(self) -> None:
        self._held: dict[Listen, tuple[Key, socket.socket | None]] = {}

    def claim(self, key: Key, wanted: frozenset[Listen]) -> frozenset[Listen]:
        """Hold what a Service wants and let go of the rest it had; what another program has comes back."""
        for listen in [one for one, (owner, _) in self._held.items() if owner == key and one not in wanted]:
            self._release(listen)
        return frozenset(listen for listen in wanted if listen not in self._held and not self._hold(key, listen))

    def seal(self) -> None:
        """Once the rules are there: TCP sockets listen, which makes `bind` fail for everyone. Before, a connection
        would be accepted that nobody serves."""
        for listen, (_, sock) in list(self._held.items()):
            if sock is not None and listen.protocol == "tcp":
                try:
                    sock.listen(1)
                except OSError:
                    # Somebody was faster; the next claim tells.
                    self._release(listen)

    def close(self) -> None:
        for listen in list(self._held):
            self._release(listen)

    def _release(self, listen: Listen) -> None:
        _, sock = self._held.pop(listen)
        if sock is not None:
            sock.close()

    def _hold(self, key: Key, listen: Listen) -> bool:
        kind = _TYPES.get(listen.protocol)
        if kind is None or Listen("", listen.protocol, listen.port) in self._held:
            self._held[listen] = (key, None)
            return True
        sock = socket.socket(socket.AF_INET, kind)
        try:
            # Connections that a former listener left in TIME_WAIT don't matter.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind is socket.SOCK_STREAM)
            sock.bind((listen.address, listen.port))
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRNOTAVAIL:
                return False
            self._held[listen] = (key, None)
            return True
        self._held[listen] = (key, sock)
        return True
