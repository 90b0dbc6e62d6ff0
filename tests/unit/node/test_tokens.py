"""When the token of a pod's volume is made anew."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kubelite.node.tokens import PodTokens, renewal
from kubelite.objects.meta import Obj
from tests.unit.node.pods import NOW, pod

DAY = 24 * 3600


@pytest.mark.parametrize(("seconds", "age"), [(600, 480), (3607, 2885.6), (DAY, 0.8 * DAY), (365 * DAY, DAY)])
def test_token_is_renewed_when_a_fifth_of_its_life_is_left_or_after_a_day(seconds: int, age: float) -> None:
    assert renewal(seconds) == pytest.approx(age)


def test_token_is_kept_until_it_is_due() -> None:
    issued: list[str] = []
    clock = [NOW]

    def issue(of: Obj, audience: str, seconds: int) -> str:
        issued.append(audience)
        return f"{audience}-{len(issued)}"

    tokens = PodTokens(issue, lambda: clock[0])

    def shown(after: float) -> str:
        clock[0] = NOW + timedelta(seconds=after)
        return tokens.token(pod(), "vault", 600)

    assert [shown(after) for after in (0, 400, 480, 900, 960)] == [
        "vault-1",
        "vault-1",
        "vault-2",
        "vault-2",
        "vault-3",
    ]
    assert tokens.token(pod(), "other", 600) == "other-4"
