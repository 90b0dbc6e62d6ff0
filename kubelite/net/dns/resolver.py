"""From a question's bytes to an answer's bytes: the cache, the cluster's records, the way upstream.

Called by `server` for every message. An answer is kept as wire bytes under the question's bytes (all but the
ID), so asking again costs one dictionary look-up; `forget` drops them all when a record changes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterator
from itertools import cycle
from typing import Protocol

import dns.exception
import dns.rcode

from kubelite.net.dns import message
from kubelite.net.dns.index import Index
from kubelite.net.dns.message import Query, Refused
from kubelite.net.dns.records import Answer, Zone, resolve

MAX_KEPT = 4096
MAX_TURNS = 16

Send = Callable[[bytes], object]
log = logging.getLogger(__name__)


class Upstream(Protocol):
    async def exchange(self, wire: bytes, over_tcp: bool) -> bytes | None:
        """The reply to a question, under the question's ID; None when no server gives one."""


class Resolver:
    """Answers at once what the cluster knows; foreign names are answered when upstream does."""

    def __init__(self, index: Index, zone: Zone, upstream: Upstream) -> None:
        self.kept: dict[bytes, Iterator[bytes]] = {}
        self._index = index
        self._zone = zone
        self._upstream = upstream
        self._tasks: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        self.kept.clear()

    def answer(self, wire: bytes, send: Send, over_tcp: bool = False) -> bool:
        """Answer one message; false when it deserves no reply. Over UDP, callers look into `kept` first."""
        try:
            self._answer(wire, send, over_tcp)
        except Refused as refused:
            if not refused.reply:
                return False
            send(refused.reply)
        except Exception:
            log.exception("no answer to %s", wire.hex())
            send(message.error(wire, dns.rcode.SERVFAIL))
        return True

    def _answer(self, wire: bytes, send: Send, over_tcp: bool) -> None:
        query = message.read(wire)
        answer = resolve(self._index, self._zone, query.labels, query.type)
        if answer is None:
            self._later(self._forward(query, wire, send, over_tcp))
        elif answer.chase:
            self._later(self._chase(query, answer, send, over_tcp))
        else:
            send(wire[:2] + self._render(query, answer, wire, over_tcp))

    def _render(self, query: Query, answer: Answer, wire: bytes, over_tcp: bool) -> bytes:
        if answer.rcode == "SERVFAIL":
            return message.failure(query)[2:]
        size = message.MAX_SIZE if over_tcp else query.udp_size
        turns = min(message.turns(answer), MAX_TURNS)
        start = random.randrange(turns)
        replies = cycle(message.render(query, answer, size, start + turn)[2:] for turn in range(turns))
        if not over_tcp:
            self._keep(wire[2:], replies)
        return next(replies)

    def _keep(self, key: bytes, replies: Iterator[bytes]) -> None:
        if len(self.kept) >= MAX_KEPT:
            self.kept.clear()
        self.kept[key] = replies

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, query: Query, wire: bytes, send: Send, over_tcp: bool) -> None:
        send(await self._upstream.exchange(wire, over_tcp) or message.failure(query))

    async def _chase(self, query: Query, answer: Answer, send: Send, over_tcp: bool) -> None:
        """Append what upstream says of an alias's target; the alias alone is the answer if it says nothing."""
        reply = await self._upstream.exchange(message.chase(query, answer.chase), over_tcp=True)
        try:
            more = message.answers(reply) if reply else []
        except dns.exception.DNSException as problem:
            log.warning("upstream's reply about %s is unreadable: %s", answer.chase, problem)
            more = []
        size = message.MAX_SIZE if over_tcp else query.udp_size
        send(message.render(query, answer, size, more=more))
