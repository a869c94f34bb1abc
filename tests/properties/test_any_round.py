"""Whatever happens to a federation, in whatever order: the invariants hold, and it goes on.

Hypothesis plays network, hosts, operators and liars against a World of three to five nodes. The
invariants of fedtui/simulation/invariants.py are checked at every commit and every step. At the
end everything is healed, and a round must commit, or fail with a cause, within three deadlines
(I8). `HYPOTHESIS_PROFILE=soak` plays for hours.

Tried against machines broken on purpose: taking an update of who did not accept, of a stranger, or
offered for another attempt, closing below the minimum, counting a repeated arrival twice, never
giving up on who is late. Each was found within 150 games.
"""

import os

import msgspec
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fedtui.rounds import masking
from fedtui.rounds.machine import (
    AggregationFailed,
    Joined,
    Left,
    Operator,
    Said,
    Tick,
    UpdateArrived,
    UpdateBroken,
    UpdateOpened,
)
from fedtui.rounds.plan import (
    DeadlinesSection,
    Named,
    PrivacySection,
    RoundsSection,
    SelectionSection,
    check,
)
from fedtui.rounds.records import Evaluated, RoundFailed, RoundFinished
from fedtui.simulation.network import Weather
from fedtui.simulation.node_host import vector_digest
from fedtui.simulation.work import Parcel
from fedtui.simulation.world import World, small_plan
from fedtui.wire.masked_messages import (
    MaskedSums,
    Ready,
    Reveal,
    SealedShares,
    Share,
    Shares,
    Vote,
)
from fedtui.wire.messages import (
    Accepting,
    Away,
    Declining,
    Evaluation,
    Fetch,
    FromNode,
    Leaving,
    Progress,
    RotateKey,
    UpdateHeader,
)

PLAN = msgspec.structs.replace(
    small_plan(),
    deadlines=DeadlinesSection(accept_s=5.0, update_s=20.0, rejoin_s=3.0, evaluate_s=10.0),
    rounds=RoundsSection(maximum=10**6),
    selection=SelectionSection(minimum=2),
)
MASKED = msgspec.structs.replace(
    PLAN,
    privacy=PrivacySection(updates="masked"),
    deadlines=msgspec.structs.replace(PLAN.deadlines, share_s=5.0, mask_s=5.0, reveal_s=5.0),
)
GROUPED = msgspec.structs.replace(
    MASKED, privacy=PrivacySection(updates="masked", group=3, largest_cohort=20)
)
BUFFERED: dict[str, object] = {
    "strategy": Named(name="fedbuff"),
    "selection": SelectionSection(minimum=2, count=2),
    "deadlines": msgspec.structs.replace(MASKED.deadlines, late="buffer", max_staleness=2),
}
LATE = msgspec.structs.replace(PLAN, **BUFFERED)
MASKED_LATE = msgspec.structs.replace(
    MASKED,
    **BUFFERED | {"selection": SelectionSection(minimum=3, count=3)},
    privacy=PrivacySection(updates="masked", minimum=3, colluders=1),
)
DEADLINES_S = 3 * (PLAN.deadlines.update_s + PLAN.deadlines.evaluate_s + 30.0)
NAMES = [f"n{i}" for i in range(1, 7)]
names = st.sampled_from(NAMES)
ids = names.map(World.name)
near = st.integers(0, 4)
sums = st.dictionaries(
    st.sampled_from(["loss_sum", "correct", "examples", "squared_error", "x"]),
    st.floats(-1e300, 1e300),
    max_size=5,
)
bases = st.one_of(st.none(), st.integers(1, 6), st.integers(1, 2**40))
headers = st.builds(UpdateHeader, num_examples=st.integers(1, 2**40), sums=sums, base=bases)


class AnyRound(RuleBasedStateMachine):
    plan = PLAN
    spare = 0  # nodes beyond the least of a round, that may be lost for good

    @initialize(
        seed=st.integers(0, 2**16),
        num_nodes=st.integers(2, 5),
        evaluator=st.booleans(),
        duplicates=st.sampled_from([0.0, 0.3]),
        disorder_s=st.sampled_from([0.0, 0.5]),
        already_s=st.floats(0.0, 5.0),
    )
    def begin(self, seed, num_nodes, evaluator, duplicates, disorder_s, already_s) -> None:
        weather = Weather(duplicates=duplicates, disorder_s=disorder_s)
        num_nodes = max(num_nodes, self.plan.minimum + self.spare)
        self.world = World(seed=seed, num_nodes=num_nodes, plan=self.plan, weather=weather)
        if evaluator:
            self.world.join(1, role="evaluator")
        self.world.run(seconds=already_s)
        self.heard: list[tuple[bytes, FromNode]] = []
        self.world._watchers.append(lambda *said: self.heard.append(said))
        self.num_revoked = 0
        self.paused = False

    def has(self, name: str) -> bool:
        return World.name(name) in self.world.nodes

    # ---- time -----------------------------------------------------------------------------------

    @rule(num=st.integers(1, 60))
    def step(self, num: int) -> None:
        for _ in range(num):
            self.world.clock.step()

    @rule(seconds=st.floats(0.01, 40.0))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds=seconds)

    # ---- faults ---------------------------------------------------------------------------------

    @rule(name=names)
    def lose_session(self, name: str) -> None:
        if self.has(name):
            self.world.disconnect(World.name(name))

    @rule(name=names, seconds=st.floats(0.1, 30.0), way=st.sampled_from(["both", "up", "down"]))
    def partition(self, name: str, seconds: float, way) -> None:
        if self.has(name):
            self.world.partition(name, for_s=seconds, way=way)

    @rule(name=names, seconds=st.floats(0.1, 30.0))
    def stall(self, name: str, seconds: float) -> None:
        if self.has(name):
            self.world.stall(name, for_s=seconds)

    @rule(name=names, back_after_s=st.none() | st.floats(0.1, 30.0))
    def crash_node(self, name: str, back_after_s: float | None) -> None:
        if self.has(name):
            self.world.crash_node(name, back_after_s=back_after_s)

    @rule(back_after_s=st.floats(0.1, 10.0))
    def crash_coordinator(self, back_after_s: float) -> None:
        if self.world.coordinator.up:
            self.world.crash_coordinator(back_after_s=back_after_s)

    @rule(num=st.integers(0, 5), when=st.sampled_from(["before", "after"]))
    def plan_power_cut(self, num: int, when: str) -> None:
        """Die before or after the commit of the record that is `num` records away."""
        left = [num]

        def now(at: str, record: object) -> bool:
            left[0] -= at == when
            return left[0] < 0 and at == when

        self.world.coordinator.crash_plan = now

    @precondition(lambda self: not self.world.coordinator.up)
    @rule()
    def restart(self) -> None:
        self.world.coordinator.restart()

    @rule(by_s=st.sampled_from([-3e8, -100.0, -1.0, 1.0, 100.0, 3e8]), name=st.none() | names)
    def set_clock(self, by_s: float, name: str | None) -> None:
        if name is None:
            self.world.coordinator.clock_offset_s += by_s
        elif self.has(name):
            self.world.nodes[World.name(name)].clock_offset_s += by_s

    # ---- people ---------------------------------------------------------------------------------

    @precondition(lambda self: self.num_revoked < 2)
    @rule(name=names)
    def revoke(self, name: str) -> None:
        if self.has(name):
            self.num_revoked += 1
            self.world.revoke(name)

    @precondition(lambda self: len(self.world.nodes) < 6)
    @rule(role=st.sampled_from(["participant", "participant", "evaluator", "observer"]))
    def join(self, role) -> None:
        self.world.join(1, role=role)

    @rule(name=names, command=st.sampled_from(["pause", "resume"]))
    def node_operator(self, name: str, command) -> None:
        if self.has(name):
            self.world.operator(name, command)

    @rule(command=st.sampled_from(["pause", "resume"]))
    def operator(self, command) -> None:
        if self.world.coordinator.up:
            self.world.lie(Operator(command))

    # ---- lies -----------------------------------------------------------------------------------

    def attempt(self, back: int, later: int) -> dict[str, int]:
        """The attempt under way, or one near it."""
        machine = self.world.coordinator.machine
        under_way = machine.attempt
        number = under_way.round if under_way else machine.rounds[-1].round
        attempt = under_way.attempt if under_way else 1
        return {
            "incarnation": max(0, self.world.coordinator.incarnation - (back == 3)),
            "round": max(0, number + later - (back == 2)),
            "attempt": max(0, attempt - (back == 1)),
        }

    @rule(node=ids, back=near, later=st.sampled_from([0, 0, 0, 1]), data=st.data())
    def lie_about_a_round(self, node: bytes, back: int, later: int, data) -> None:
        which = self.attempt(back, later)
        said = data.draw(
            st.sampled_from(
                [
                    Accepting(**which),
                    Declining(**which, reason="\x1b[31mno" * 20),
                    Progress(**which, stage="train", fraction=0.5),
                    Fetch(kind="model", digest=bytes(32)),
                    RotateKey(statement=b""),
                ]
            )
        )
        self.world.lie(Said(node, said))

    @rule(node=ids, back=near, sums=sums)
    def lie_about_a_score(self, node: bytes, back: int, sums) -> None:
        which = self.attempt(back, 0)
        message = Evaluation(incarnation=which["incarnation"], round=which["round"], sums=sums)
        self.world.lie(Said(node, message))

    @rule(node=ids, away=st.booleans(), leaves=st.booleans(), gone=st.booleans())
    def lie_about_presence(self, node: bytes, away: bool, leaves: bool, gone: bool) -> None:
        self.world.lie(Said(node, Leaving() if leaves else Away(away=away)))
        self.world.lie(Left(node, for_good=gone))

    @rule(node=ids, role=st.sampled_from(["participant", "evaluator", "observer"]))
    def lie_about_joining(self, node: bytes, role) -> None:
        self.world.lie(Joined(node, role))

    @rule(node=ids, back=near, fits=st.booleans(), header=headers, digest=st.sampled_from("ab"))
    def lie_about_opening(self, node: bytes, back: int, fits: bool, header, digest) -> None:
        world = self.world
        opened = UpdateOpened(
            node,
            10**6,
            **self.attempt(back, 0),
            num_bytes=self.vector(1).nbytes + (not fits),
            digest=digest.encode() * 32,
            manifest_digest=world.manifest.digest(),
            header=header,
        )
        world.lie(opened)

    def vector(self, value: int) -> np.ndarray:
        """What could be somebody's update, as far as its size tells."""
        if not self.plan.masked:
            return np.full(4, value, dtype=np.float32)
        return np.full(masking.encoding(self.plan, 4, "update").num_words, value, dtype=np.uint64)

    @rule(node=ids, back=near, accepts=st.booleans(), header=headers, value=st.integers(1, 3))
    def hostile_upload(self, node: bytes, back: int, accepts: bool, header, value) -> None:
        """Somebody sends a whole update: in turn, out of turn, for this attempt or another."""
        world = self.world
        update_D = self.vector(value)
        digest = vector_digest(update_D)
        now = self.attempt(0, 0)
        if accepts:
            world.lie(Said(node, Accepting(**self.attempt(back, 0))))
        opened = UpdateOpened(
            node,
            10**6,
            **self.attempt(back, 0),
            num_bytes=update_D.nbytes,
            digest=digest,
            manifest_digest=world.manifest.digest(),
            header=None if self.plan.masked else header,
        )
        world.lie(opened)
        if not world.coordinator.up:
            return
        world.coordinator.spool[(now["round"], now["attempt"], node, digest)] = Parcel(
            update_D, digest, update_D.nbytes
        )
        world.lie(UpdateArrived(node, 10**6, now["round"], now["attempt"], digest=digest))

    @rule(node=ids, back=near, broken=st.booleans())
    def lie_about_arrival(self, node: bytes, back: int, broken: bool) -> None:
        which = self.attempt(back, 0)
        number, attempt = which["round"], which["attempt"]
        if broken:
            self.world.lie(UpdateBroken(node, 10**6, number, attempt, reason="NaN"))
        else:
            self.world.lie(UpdateArrived(node, 10**6, number, attempt, digest=bytes(32)))

    @rule(back=near)
    def lie_about_aggregation(self, back: int) -> None:
        which = self.attempt(back, 0)
        self.world.lie(AggregationFailed(which["round"], which["attempt"], reason="disk full"))

    @rule()
    def lie_about_time(self) -> None:
        self.world.lie(Tick())

    # ---- what must hold -------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.invariants.step()
            self.world.invariants.remembered()

    def teardown(self) -> None:
        """I8: after everything is healed, a round commits or fails with a cause in time."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.coordinator.crash_plan = None
        world.heal()
        for name, node in world.nodes.items():
            if node.machine.paused or self.plan.masked:  # also: more sums on the same model
                world.operator(self.world.called(name), "resume")
            if name not in world.revoked:  # what was said in its name is corrected
                world.disconnect(name)
        world.lie(Operator("resume"))
        able = sum(
            n.role == "participant" and n.name not in world.revoked for n in world.nodes.values()
        )
        if able < self.plan.minimum:
            return
        num_before = len(world.coordinator.records)
        world.run(rounds=world.rounds_done + 1, seconds=DEADLINES_S)
        outcomes = [
            r
            for r in world.coordinator.records[num_before:]
            if isinstance(r, RoundFinished | RoundFailed | Evaluated)
        ]
        assert outcomes, f"I8: nothing happened in {DEADLINES_S} s after healing"
        assert all(r.cause for r in outcomes if isinstance(r, RoundFailed))
        done = world.rounds_done
        world.run(rounds=done + 1, seconds=DEADLINES_S)
        assert world.rounds_done > done, "I8: healed, but no round commits"
        world.invariants.remembered()


class AnyMaskedRound(AnyRound):
    """The same games under masks, and lies about them."""

    plan = MASKED

    @rule(node=ids, back=near, position=st.integers(0, 5), key=st.binary(min_size=32, max_size=32))
    def lie_about_masks(self, node: bytes, back: int, position: int, key: bytes) -> None:
        which = self.attempt(back, 0)
        share = Share(position=position, share=key)
        for said in (
            Ready(
                **which, mask_key=key, share_key=key, commitment=key, base=1, signature=bytes(64)
            ),
            Shares(**which, sealed=(SealedShares(position=position, sealed=bytes(104)),)),
            MaskedSums(**which, words=key),
            Vote(**which, survivors=key, signature=bytes(64)),
            Reveal(**which, selves=(share,), masks=()),
        ):
            self.world.lie(Said(node, said))

    @rule(node=ids, other=ids)
    def replay_to_the_coordinator(self, node: bytes, other: bytes) -> None:
        """What one node said is said again in the name of another, and once more in its own."""
        said = [message for sender, message in self.heard if sender == node][-3:]
        for message in said:
            self.world.lie(Said(other, message))
            self.world.lie(Said(node, message))


class AnyGroupedRound(AnyMaskedRound):
    """The same with cohorts in groups of three: any loss costs a group."""

    plan = GROUPED
    spare = 2


class AnyLateRound(AnyRound):
    """Rounds that close with the first that are ready; updates of earlier ones count too."""

    plan = LATE


class AnyMaskedLateRound(AnyMaskedRound):
    """The same under masks."""

    plan = MASKED_LATE
    spare = 1


def test_that_the_plans_played_have_no_conflicts() -> None:
    for plan in (PLAN, MASKED, GROUPED, LATE, MASKED_LATE):
        assert check(plan) == []


TestAnyRound = pytest.mark.timeout(600)(AnyRound.TestCase)  # shrinking takes its time
TestAnyMaskedRound = pytest.mark.timeout(600)(AnyMaskedRound.TestCase)
TestAnyGroupedRound = pytest.mark.timeout(600)(AnyGroupedRound.TestCase)
TestAnyLateRound = pytest.mark.timeout(600)(AnyLateRound.TestCase)
TestAnyMaskedLateRound = pytest.mark.timeout(600)(AnyMaskedLateRound.TestCase)
if os.environ.get("HYPOTHESIS_PROFILE", "ci") == "ci":
    TestAnyRound.settings = settings(max_examples=80, stateful_step_count=40)
    TestAnyMaskedRound.settings = settings(max_examples=50, stateful_step_count=40)
    TestAnyGroupedRound.settings = settings(max_examples=20, stateful_step_count=40)
    TestAnyLateRound.settings = settings(max_examples=40, stateful_step_count=40)
    TestAnyMaskedLateRound.settings = settings(max_examples=30, stateful_step_count=40)
