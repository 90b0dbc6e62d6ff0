"""One request on its way through webhooks: what they were asked, what they said.

The registry is synchronous and can't wait for a webhook. So a write that needs an answer which isn't there ends with
`Pending`, and nothing has happened yet. Whoever runs the request (the HTTP edge, a controller's worker) has the calls
made and runs the same request again; the `Review` that goes with it then has the answers, and the uid, name and time of
the first attempt. Writes outside of a Review (the kubelet's, and what the cluster starts with) ask nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from kubelite.objects.meta import Obj
from kubelite.registry.webhook_rules import Webhook

if TYPE_CHECKING:
    from kubelite.registry.conversion import Conversion


@dataclass(frozen=True, slots=True)
class Call:
    """A question: `request` is an AdmissionRequest but for its uid.

    `key` is the same in every attempt, though times and random names in the object aren't.
    """

    webhook: Webhook
    key: Hashable
    request: Obj
    mutating: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A webhook's AdmissionResponse to the object that it was shown, or why there is none (`fault`)."""

    response: Obj = field(default_factory=dict)
    fault: str = ""
    shown: Obj = field(default_factory=dict)


class Caller(Protocol):
    """Calls webhooks."""

    async def ask(self, call: Call) -> Answer:
        """Whatever goes wrong is an Answer too."""
        ...

    async def convert(self, conversion: Conversion) -> None:
        """Brings the answer to `conversion`; StatusError when there is none."""
        ...


class Pending(Exception):
    """Calls have to be made before the request can go on."""

    def __init__(self, calls: Sequence[Call] = (), conversions: Sequence[Conversion] = ()) -> None:
        super().__init__("waiting for webhooks")
        self.calls = calls
        self.conversions = conversions


@dataclass(frozen=True, slots=True)
class Birth:
    """What the server itself gives a new object."""

    now: datetime
    uid: str
    suffix: str  # of a generated name


@dataclass(slots=True)
class Review:
    """One request through all of its attempts; `user` is its UserInfo.

    What the control plane itself (`of_client` False) says of states concerns nobody.
    """

    user: Mapping[str, Any]
    caller: Caller
    of_client: bool = True
    warnings: list[str] = field(default_factory=list)
    birth: Birth | None = None  # of the write that is under way
    waiting: bool = False
    _answers: dict[Hashable, Answer] = field(default_factory=dict)

    def answer(self, call: Call) -> Answer | None:
        return self._answers.get(call.key)

    async def settle(self, pending: Pending) -> None:
        """Have the calls made, all at once; `waiting` until then."""
        try:
            await self._settle(pending)
        finally:
            self.waiting = False

    async def _settle(self, pending: Pending) -> None:
        for conversion in pending.conversions:
            await self.caller.convert(conversion)
        answers = await asyncio.gather(*(self.caller.ask(call) for call in pending.calls))
        for call, answer in zip(pending.calls, answers, strict=True):
            self._answers[call.key] = replace(answer, shown=call.request["object"] or {})
            self.warnings += answer.response.get("warnings") or ()

    def written(self) -> None:
        """The write is over: the next one, be it just the same, is asked about anew."""
        self._answers.clear()
        self.birth = None


_CURRENT: ContextVar[Review | None] = ContextVar("review", default=None)


@contextmanager
def reviewed(review: Review | None) -> Iterator[None]:
    """What is written in here belongs to `review`; None: nobody is asked."""
    token = _CURRENT.set(review)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Review | None:
    return _CURRENT.get()
