"""`kubectl logs` and its options."""

from __future__ import annotations

import re

from tests.kubectl.shell import Shell, every_version

FIRST = [f"first {number}" for number in range(1, 6)]


@every_version
def test_logs_and_tail(shared: Shell) -> None:
    assert shared.ok("logs two -c first").splitlines() == FIRST
    assert shared.ok("logs two -c first --tail=2").splitlines() == FIRST[3:]
    assert shared.ok("logs two -c first --tail=0") == ""
    assert shared.ok("logs two -c first --limit-bytes=7") == "first 1"


@every_version
def test_timestamps_and_since(shared: Shell) -> None:
    lines = shared.ok("logs two -c first --timestamps").splitlines()
    assert [line.partition(" ")[2] for line in lines] == FIRST
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)$")
    assert all(stamp.match(line.partition(" ")[0]) for line in lines)
    assert shared.ok("logs two -c first --since=1h").splitlines() == FIRST
    assert shared.ok("logs two -c first --since-time=2100-01-01T00:00:00Z") == ""


def test_logs_of_several_containers(shared: Shell) -> None:
    assert sorted(shared.ok("logs two --all-containers").splitlines()) == [*FIRST, "second 1"]
    assert "[pod/two/second] second 1" in shared.ok("logs two --all-containers --prefix").splitlines()
    assert "second 1" in shared.ok("logs -l app=two --all-containers").splitlines()
    done = shared.run("logs two")
    if done.returncode:
        assert "a container name must be specified for pod two, choose one of: [first second]" in done.stderr
    else:
        assert (done.stdout.splitlines(), "efault" in done.stderr) == (FIRST, True)


def test_logs_of_a_workload(shared: Shell) -> None:
    done = shared.run("logs statefulset/web")
    assert (done.returncode, "resuming normal operations" in done.stdout) == (0, True)


@every_version
def test_previous_life(shared: Shell) -> None:
    assert shared.ok("logs again --previous") == "first life\n"
    assert shared.ok("logs again") == "second life\n"
    told = shared.fails("logs web-0 --previous")
    assert 'previous terminated container "httpd" in pod "web-0" not found' in told


def test_refusals(shared: Shell) -> None:
    assert 'pods "none" not found' in shared.fails("logs none")
    assert "container nine is not valid for pod two" in shared.fails("logs two -c nine")


@every_version
def test_follow(shell: Shell) -> None:
    shell.talks("echo begin; until [ -e /tmp/go ]; do sleep 0.05; done; echo end; sleep 0.5", restart="Never")
    with shell.stream("logs -f talks") as stream:
        stream.until("^begin$")
        shell.ok("exec talks -- touch /tmp/go")
        stream.until("^end$")
    assert stream.seen == ["begin", "end"]
    assert shell.ok("logs -f talks") == "begin\nend\n"
