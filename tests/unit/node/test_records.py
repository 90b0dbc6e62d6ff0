"""What is remembered of containers while the engine tells more of them."""

from __future__ import annotations

from datetime import timedelta

from kubelite.node.adoption import start_before
from kubelite.node.records import Records
from tests.unit.node.pods import NOW, ago, exited, pod, running


def test_a_container_never_goes_back_to_an_earlier_state() -> None:
    records = Records([exited()])
    records.put(running())
    assert records.running() == []


def test_a_start_that_was_told_stays_the_start() -> None:
    records = Records([running(started_at=ago(60))])
    records.put(running(started_at=ago(61)))
    records.put(exited(started_at=ago(61), finished_at=ago(1)))
    (found,) = records.all()
    assert found.started_at == ago(60)
    records = Records([running(started_at=ago(60))])
    records.put(exited(started_at=ago(62), finished_at=ago(61)))
    assert records.all()[0].started_at == ago(61)


def test_an_adopted_container_started_when_the_status_says() -> None:
    entry = {
        "name": "web",
        "containerID": "docker://web-0",
        "state": {"running": {"startedAt": "2026-01-02T03:04:04Z"}},
    }
    of = pod(status={"phase": "Running", "containerStatuses": [entry]})
    assert start_before(of, running(started_at=ago(0.2))) == NOW - timedelta(seconds=1)
    assert start_before(of, running(attempt=1, started_at=ago(0.2))) == ago(0.2)
