"""Random clusters, failures and changes against Deployments: what must hold after every step, and at the end."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kubelite import errors
from kubelite.controllers import pods as podq
from kubelite.controllers.deployment import DeploymentController, rollback
from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import Cluster, template, workload

LIMITS = st.sampled_from([0, 1, 2, "25%", "50%"])
DEADLINE = 600
SLACK = 2  # seconds: the controller looks again one after the deadline


def strategy(surge: Any, unavailable: Any, recreate: bool) -> Obj:
    if recreate:
        return {"type": "Recreate", "rollingUpdate": None}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


class Deployments(RuleBasedStateMachine):
    @initialize(replicas=st.integers(0, 6), surge=LIMITS, unavailable=LIMITS, recreate=st.booleans())
    def create(self, replicas: int, surge: Any, unavailable: Any, recreate: bool) -> None:
        self.cluster = Cluster(DeploymentController, ReplicaSetController)
        self.cluster.on_create.append(self.check_creation)
        self.cluster.on_delete.append(self.check_deletion)
        self.may_lose_available = False
        new = workload(
            replicas=replicas,
            strategy=strategy(surge, unavailable, recreate),
            template=template("a"),
            progressDeadlineSeconds=DEADLINE,
            revisionHistoryLimit=2,
        )
        self.cluster.create("deployments", new)
        self.cluster.settle()

    # what users do

    def change(self, **spec: Any) -> None:
        self.cluster.patch("deployments", "default", "web", {"spec": spec})
        self.cluster.settle()

    @rule(replicas=st.integers(0, 8))
    def scale(self, replicas: int) -> None:
        """While it is paused, all sets move in the same direction."""
        before, paused = self.sizes(), self.paused
        more = replicas > sets.replicas(self.deployment)
        self.may_lose_available = True
        self.change(replicas=replicas)
        self.may_lose_available = False
        if paused:
            after = self.sizes()
            kept = [(size, after[name]) for name, size in before.items() if name in after]
            assert all(new >= old if more else new <= old for old, new in kept)

    @rule(image=st.sampled_from(["a", "b", "c", "d"]))
    def change_template(self, image: str) -> None:
        before = self.sizes()
        self.change(template=template(image))
        if self.paused:
            assert self.sizes().keys() <= before.keys()

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        """By the annotation of former clients; a paused Deployment does it once it is resumed."""
        found = self.cluster.get("replicasets", "default", data.draw(st.sampled_from(sorted(self.sizes()))))
        wish = {"annotations": {rollback.ANNOTATION: str(sets.revision(found))}}
        self.cluster.patch("deployments", "default", "web", {"metadata": wish})
        self.cluster.settle()
        if not self.paused:
            assert rollback.ANNOTATION not in meta.annotations(self.deployment)
            assert sets.same_template(self.deployment["spec"]["template"], found["spec"]["template"])

    @precondition(lambda self: sets.is_rolling(self.deployment))  # pausing a Recreate lets new pods join old ones
    @rule(paused=st.booleans())
    def pause_or_resume(self, paused: bool) -> None:
        self.change(paused=paused)

    @precondition(lambda self: self.is_complete() and not self.paused)
    @rule(surge=LIMITS, unavailable=LIMITS, recreate=st.booleans())
    def change_strategy(self, surge: Any, unavailable: Any, recreate: bool) -> None:
        self.change(strategy=strategy(surge, unavailable, recreate))

    # what happens to pods

    @rule(data=st.data(), what=st.sampled_from(["run", "run", "run", "fail", "sicken", "delete", "kill"]))
    def touch_a_pod(self, data: st.DataObject, what: str) -> None:
        names = self.cluster.pod_names()
        if not names:
            return
        name = data.draw(st.sampled_from(names))
        if not alive(self.cluster.pod(name)):
            what = "kill"
        if what == "kill" or meta.is_terminating(self.cluster.pod(name)):
            self.cluster.finish(name)
        elif what == "delete":
            self.may_lose_available = True
            self.cluster.delete("pods", "default", name)
            self.may_lose_available = False
        elif what == "fail":
            self.cluster.set_pod(name, "Failed", ready=False)
        else:
            self.cluster.set_pod(name, "Running", ready=what == "run")
        self.cluster.settle()

    @rule(count=st.integers(1, 3))
    def refuse_pods(self, count: int) -> None:
        """A quota is used up: the next creations fail."""
        self.cluster.refusals.extend(errors.forbidden("pods", "", "exceeded quota") for _ in range(count))

    @rule()
    def let_the_kubelet_work(self) -> None:
        self.cluster.run_pods()
        self.cluster.settle()

    @rule(seconds=st.sampled_from([1, 700]))
    def let_time_pass(self, seconds: int) -> None:
        self.cluster.advance(seconds)

    # what there is

    @property
    def deployment(self) -> Obj:
        return self.cluster.get("deployments", "default", "web")

    @property
    def paused(self) -> bool:
        return bool(self.deployment["spec"].get("paused"))

    def sets(self) -> list[Obj]:
        return self.cluster.list("replicasets")

    def sizes(self) -> dict[str, int]:
        return {meta.name(rs): sets.replicas(rs) for rs in self.sets()}

    def total(self) -> int:
        return sum(self.sizes().values())

    def condition(self, kind: str) -> Obj:
        return meta.condition(self.deployment["status"].get("conditions"), kind) or {}

    def is_complete(self) -> bool:
        """All pods there are, are of the present template and available; and no others are about to go."""
        status, wanted = self.deployment["status"], sets.replicas(self.deployment)
        counts = (status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas"))
        return all(count == wanted for count in counts) and len(self.cluster.pods()) == wanted

    # what must hold

    def check_creation(self, pod: Obj) -> None:
        """With Recreate, pods of two templates are never alive together."""
        if sets.is_rolling(self.deployment):
            return
        hashes = {meta.labels(other)["pod-template-hash"] for other in self.cluster.pods() if alive(other)}
        assert hashes <= {meta.labels(pod)["pod-template-hash"]}

    def check_deletion(self, pod: Obj) -> None:
        """A rolling update by itself takes no pod that is needed for the minimum of available ones."""
        if self.may_lose_available or not sets.is_rolling(self.deployment) or not serves(pod):
            return
        others = sum(serves(other) and meta.uid(other) != meta.uid(pod) for other in self.cluster.pods())
        assert others >= sets.replicas(self.deployment) - sets.max_unavailable(self.deployment)

    @invariant()
    def size_keeps_its_limits(self) -> None:
        wanted = sets.replicas(self.deployment)
        limit = wanted + sets.max_surge(self.deployment)
        assert self.total() <= max(limit, wanted)

    @invariant()
    def at_most_one_replica_set_for_a_template(self) -> None:
        images = [rs["spec"]["template"]["spec"]["containers"][0]["image"] for rs in self.sets()]
        assert len(images) == len(set(images))

    @invariant()
    def revisions_differ(self) -> None:
        numbers = [sets.revision(rs) for rs in self.sets()]
        assert len(numbers) == len(set(numbers))
        assert all(numbers)

    @invariant()
    def status_tells_the_truth(self) -> None:
        status = self.deployment["status"]
        reported = [rs["status"] for rs in self.sets()]
        for count in ("replicas", "readyReplicas", "availableReplicas"):
            assert status.get(count, 0) == sum(each.get(count, 0) for each in reported)
        assert status["observedGeneration"] == self.deployment["metadata"]["generation"]

    @invariant()
    def conditions_tell_the_truth(self) -> None:
        least = sets.replicas(self.deployment) - sets.max_unavailable(self.deployment)
        enough = self.deployment["status"].get("availableReplicas", 0) >= least
        assert self.condition("Available")["status"] == ("True" if enough else "False")
        if not self.paused:
            refused = any(meta.condition(rs["status"].get("conditions"), "ReplicaFailure") for rs in self.sets())
            assert bool(self.condition("ReplicaFailure")) == refused

    @invariant()
    def progress_is_judged_by_the_deadline(self) -> None:
        progress = self.condition("Progressing")
        if self.paused:
            assert progress["reason"] in ("DeploymentPaused", "ProgressDeadlineExceeded")
        elif self.is_complete():
            assert progress["reason"] == "NewReplicaSetAvailable"
        elif progress["reason"] not in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded"):
            since = self.cluster.now - meta.parse_time(progress["lastUpdateTime"])
            assert since.total_seconds() <= DEADLINE + SLACK
        assert progress["status"] == STATES.get(progress["reason"], "True")

    def teardown(self) -> None:
        """Once nothing fails any more and nobody pauses, the new template has all pods."""
        if not hasattr(self, "cluster"):
            return
        self.cluster.refusals.clear()
        self.change(paused=False)
        self.cluster.advance(SLACK)  # what was refused is tried again
        self.cluster.rest()
        wanted = sets.replicas(self.deployment)
        new = sets.find_new(self.deployment, self.sets())
        assert new is not None
        assert new["spec"]["replicas"] == wanted == self.total()
        assert len(self.sets()) <= 3  # with the two that the history keeps
        status = self.deployment["status"]
        assert status.get("availableReplicas", 0) == wanted
        assert meta.annotations(self.deployment)[sets.REVISION] == str(sets.revision(new))
        assert meta.condition_is_true(status["conditions"], "Progressing")
        assert meta.condition_is_true(status["conditions"], "Available")


STATES = {"DeploymentPaused": "Unknown", "DeploymentResumed": "Unknown", "ProgressDeadlineExceeded": "False"}


def alive(pod: Obj) -> bool:
    return bool(pod["status"]["phase"] not in ("Failed", "Succeeded"))


def serves(pod: Obj) -> bool:
    return podq.is_running_and_ready(pod) and not meta.is_terminating(pod)


TestDeployments = Deployments.TestCase
TestDeployments.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
