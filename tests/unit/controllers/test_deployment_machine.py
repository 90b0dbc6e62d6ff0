"""Random clusters, failures and changes against Deployments: what must hold after every step, and at the end."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import Cluster, template, workload

LIMITS = st.sampled_from([0, 1, 2, "25%", "50%"])


class Deployments(RuleBasedStateMachine):
    @initialize(replicas=st.integers(0, 6), surge=LIMITS, unavailable=LIMITS, recreate=st.booleans())
    def create(self, replicas: int, surge: Any, unavailable: Any, recreate: bool) -> None:
        self.cluster = Cluster(DeploymentController, ReplicaSetController)
        self.cluster.on_create.append(self.check_creation)
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
        new = workload(
            replicas=replicas,
            strategy={"type": "Recreate"} if recreate else rolling,
            template=template("a"),
            progressDeadlineSeconds=600,
        )
        self.cluster.create("deployments", new)
        self.cluster.settle()

    def change(self, **spec: Any) -> None:
        self.cluster.patch("deployments", "default", "web", {"spec": spec})
        self.cluster.settle()

    @rule(replicas=st.integers(0, 8))
    def scale(self, replicas: int) -> None:
        self.change(replicas=replicas)

    @rule(image=st.sampled_from(["a", "b", "c"]))
    def change_template(self, image: str) -> None:
        self.change(template=template(image))

    @precondition(lambda self: sets.is_rolling(self.deployment))  # pausing a Recreate lets new pods join old ones
    @rule(paused=st.booleans())
    def pause_or_resume(self, paused: bool) -> None:
        self.change(paused=paused)

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
            self.cluster.delete("pods", "default", name)
        elif what == "fail":
            self.cluster.set_pod(name, "Failed", ready=False)
        else:
            self.cluster.set_pod(name, "Running", ready=what == "run")
        self.cluster.settle()

    @rule()
    def let_the_kubelet_work(self) -> None:
        self.cluster.run_pods()
        self.cluster.settle()

    @rule(seconds=st.sampled_from([1, 700]))
    def let_time_pass(self, seconds: int) -> None:
        self.cluster.advance(seconds)

    @property
    def deployment(self) -> Obj:
        return self.cluster.get("deployments", "default", "web")

    def total(self) -> int:
        return sum(rs["spec"]["replicas"] for rs in self.cluster.list("replicasets"))

    def check_creation(self, pod: Obj) -> None:
        """With Recreate, pods of two templates are never alive together."""
        if sets.is_rolling(self.deployment):
            return
        hashes = {meta.labels(other)["pod-template-hash"] for other in self.cluster.pods() if alive(other)}
        assert hashes <= {meta.labels(pod)["pod-template-hash"]}

    @invariant()
    def size_keeps_its_limits(self) -> None:
        wanted = sets.replicas(self.deployment)
        limit = wanted + sets.max_surge(self.deployment)
        assert self.total() <= max(limit, wanted)

    @invariant()
    def at_most_one_replica_set_for_a_template(self) -> None:
        images = [rs["spec"]["template"]["spec"]["containers"][0]["image"] for rs in self.cluster.list("replicasets")]
        assert len(images) == len(set(images))

    @invariant()
    def revisions_differ(self) -> None:
        numbers = [sets.revision(rs) for rs in self.cluster.list("replicasets")]
        assert len(numbers) == len(set(numbers))
        assert all(numbers)

    @invariant()
    def status_tells_the_truth(self) -> None:
        status = self.deployment["status"]
        reported = [rs["status"] for rs in self.cluster.list("replicasets")]
        for count in ("replicas", "readyReplicas", "availableReplicas"):
            assert status.get(count, 0) == sum(each.get(count, 0) for each in reported)
        assert status["observedGeneration"] == self.deployment["metadata"]["generation"]

    def teardown(self) -> None:
        """Once nothing fails any more and nobody pauses, the new template has all pods."""
        if not hasattr(self, "cluster"):
            return
        self.change(paused=False)
        self.cluster.rest()
        wanted = sets.replicas(self.deployment)
        new = sets.find_new(self.deployment, self.cluster.list("replicasets"))
        assert new is not None
        assert new["spec"]["replicas"] == wanted == self.total()
        status = self.deployment["status"]
        assert status.get("availableReplicas", 0) == wanted
        assert meta.annotations(self.deployment)[sets.REVISION] == str(sets.revision(new))
        assert meta.condition_is_true(status["conditions"], "Progressing")
        assert meta.condition_is_true(status["conditions"], "Available")


def alive(pod: Obj) -> bool:
    return bool(pod["status"]["phase"] not in ("Failed", "Succeeded"))


TestDeployments = Deployments.TestCase
TestDeployments.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
