"""What the board shows of real rounds in a node: visible and masked ones, whole and failed."""

import asyncio
import json

import msgspec
import pytest
from a_plan import MODEL, NODE, UPDATE, digest_of, model_ref, vector_bytes
from fake_federation import FakeCoordinator, member, settle, write_config
from fake_trainer import FakeTrainer
from masked_cohort import PEERS, MaskedCohort, masked_coordinator

from fedtui import status
from fedtui.crypto.keys import fingerprint
from fedtui.status import Limits
from fedtui.wire import events
from fedtui.wire.messages import Abort, Declining, Evaluation, Roster, Scored
from node import jobs, lines
from node.config import ModelTable, PrivacyTable
from node.paths import Profile
from node.printing import status_text

SCORED = Scored(incarnation=1, round=1, metric="accuracy", score=0.9, num_examples=9, num_nodes=2)


class JudgingTrainer(FakeTrainer):
    """Judges each model as the list says; and says how far it is, four times a training."""

    accuracies = (0.5, 0.75)

    async def run(self, job, *, on_progress):
        outcome = await super().run(job, on_progress=on_progress)
        if not isinstance(outcome, jobs.Trained):
            return outcome
        for batch in range(1, 5):
            on_progress(
                jobs.Progress(
                    job_id=job.job_id,
                    epoch=1,
                    num_epochs=1,
                    batch=batch,
                    num_batches=4,
                    loss=1.0 / batch,
                    examples_per_s=100.0,
                )
            )
        before, after = ({"correct": a * 100, "examples": 100.0} for a in self.accuracies)
        judged = jobs.Judged(
            num_examples=100, before=before | {"loss_sum": 1.0}, after=after | {"loss_sum": 1.0}
        )
        drift = jobs.Drift(round=0, num_rounds=1, distance=2.5, own=2.0, moved=1.5, cosine=0.0)
        return msgspec.structs.replace(outcome, judged=judged, drift=drift)


async def test_a_visible_round_step_by_step(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator, trainer=JudgingTrainer())
    heard: list[status.Event] = []
    node._board.listen(heard.append)
    coordinator.offer()
    await settle()
    seen = await node.status()
    assert (seen.round.number, seen.round.attempt, seen.round.cohort) == (1, 1, 2)
    assert seen.round.phase == "aggregate"
    done = {one.phase: one for one in seen.round.steps}
    assert list(done) == ["selected", "download", "train", "upload", "aggregate"]
    assert done["upload"].num_bytes == len(UPDATE)
    assert done["download"].num_bytes == len(MODEL)
    coordinator.result()
    coordinator.tell(SCORED)
    await settle()
    seen = await node.status()
    (past,) = seen.rounds
    assert (past.outcome, past.score, past.num_updates, past.masked) == ("counted", 0.9, 2, False)
    assert past.bytes_up == len(UPDATE)
    assert past.bytes_up + past.bytes_down == sum(one.num_bytes for one in past.steps)
    assert await node.history() == (past,)
    assert (seen.log[-2].level, seen.log[-2].source) == ("ok", "round")
    phases = [one.round.phase for one in heard if isinstance(one, status.RoundMoved)]
    assert phases == ["download", "train", "upload", "aggregate", ""]
    await node.close()


async def test_training_is_told_with_all_its_losses_and_the_own_score_stays_here(
    home: Profile,
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator, trainer=JudgingTrainer())
    heard: list[status.Event] = []
    node._board.listen(heard.append)
    coordinator.offer()
    await settle()
    seen = await node.status()
    assert seen.training.losses == (1.0, 0.5, 1 / 3, 0.25)
    assert (seen.training.fraction, seen.training.left_s) == (1.0, 0.0)
    moved = [one for one in heard if isinstance(one, status.TrainingMoved)]
    assert len(moved) == 3, "begun, told once in a while, done"
    assert seen.drift is not None
    assert seen.drift.words() == (
        "round 0: 2.5 from the global model, angle 90 deg; update 2, global step 1.5"
    )
    assert "drift        round 0: 2.5 from" in status_text(seen)
    assert "this update is of 4 examples and counts 4" in [line.text for line in seen.log]
    (score,) = seen.own_scores
    assert (score.round, score.before, score.after) == (1, 0.5, 0.75)
    assert (score.metric, score.num_examples) == ("accuracy", 100)
    coordinator.evaluate()
    await settle()
    opening = coordinator.opened[0]
    assert opening.update.sums == {"correct": 3.0, "examples": 4.0, "loss_sum": 1.5}
    assert not any("0.75" in repr(said) for said in (*coordinator.said, opening))
    assert any(isinstance(said, Evaluation) for said in coordinator.said)
    await node.close()


async def test_a_model_that_is_suddenly_worse_on_the_own_hold_out_is_an_alarm(
    home: Profile,
) -> None:
    coordinator, trainer = FakeCoordinator(), JudgingTrainer()
    node = await member(home, coordinator, trainer=trainer)
    trainer.accuracies = (0.93, 0.94)
    coordinator.offer()
    await settle()
    coordinator.result()
    trainer.accuracies = (0.40, 0.94)
    coordinator.offer(number=2)
    await settle()
    (alarm,) = (await node.status()).alarms
    assert alarm.kind == "got worse"
    assert "YOUR hold-out: 0.93 -> 0.40 (here)" in alarm.text
    assert len(coordinator.uploads) == 2, "it is told, not acted upon"
    await node.close()


async def test_a_model_that_got_much_worse_is_refused_where_the_operator_says_so(
    home: Profile,
) -> None:
    coordinator, trainer = FakeCoordinator(), JudgingTrainer()
    write_config(home, model=ModelTable(got_worse="refuse"))
    node = await member(home, coordinator, trainer=trainer)
    trainer.accuracies = (0.93, 0.94)
    coordinator.offer()
    await settle()
    coordinator.result()
    for number in (2, 3):  # what was refused does not become what is usual
        trainer.accuracies = (0.40, 0.94)
        spoilt = vector_bytes(number)
        coordinator.models[digest_of(spoilt)] = spoilt
        coordinator.offer(number=number, model=model_ref(spoilt, number - 1))
        await settle()
        declined = [m for m in coordinator.said if isinstance(m, Declining)]
        assert [m.round for m in declined] == list(range(2, number + 1))
        assert "much worse on this node's own held-out data" in declined[-1].reason
        assert "0.4" not in declined[-1].reason
    (*_, alarm) = (await node.status()).alarms
    assert (alarm.kind, alarm.remedy.startswith("nothing was sent")) == ("got worse", True)
    num_jobs = len(trainer.done)
    coordinator.offer(number=3, attempt=2, model=model_ref(spoilt, 2))
    await settle()
    assert len(trainer.done) == num_jobs, "it is known"
    assert len(coordinator.uploads) == 1
    trainer.accuracies = (0.90, 0.94)
    coordinator.offer(number=4)
    await settle()
    assert len(coordinator.uploads) == 2
    await node.close()


async def test_a_refused_update_is_an_alarm_and_a_refused_round(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.handler.event(
        events.StreamRefused(coordinator._stream, 4010, "size\x1b[2J does not match")
    )
    await settle()
    seen = await node.status()
    (alarm,) = seen.alarms
    assert alarm.kind == "update refused"
    assert "round 1: update refused (coord: size" in alarm.text
    assert "\x1b" not in alarm.text
    assert seen.rounds[-1].outcome == "refused"
    assert seen.rounds_refused == 1
    await node.close()


@pytest.mark.parametrize("said", ["too late: {}", "this node is out of the round: {}"])
async def test_being_one_more_than_wanted_is_no_alarm(home: Profile, said: str) -> None:
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    reason = said.format("the round had enough without it")
    coordinator.handler.event(events.StreamRefused(coordinator._stream, 4010, reason))
    await settle()
    seen = await node.status()
    assert seen.alarms == ()
    assert any(reason in line.text for line in seen.log)
    await node.close()


async def test_without_a_ledger_the_round_fails_with_an_alarm(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lines, "_sync", full)
    coordinator.offer()
    await settle()
    seen = await node.status()
    assert [one.kind for one in seen.alarms] == ["disk"]
    assert (seen.rounds[-1].outcome, seen.rounds[-1].steps[3].state) == ("failed", "failed")
    assert "ledger" in seen.rounds[-1].reason
    await node.close()


async def test_a_used_up_budget_sits_out_and_says_so(home: Profile) -> None:
    write_config(home, limits=Limits(max_upload_mb_per_day=0.0015))
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.result()
    coordinator.offer(number=2)
    await settle()
    seen = await node.status()
    assert seen.rounds[-1].outcome == "sat out"
    assert seen.round.sat_out
    await node.close()


# ---- masked rounds ------------------------------------------------------------------------------


async def masked_member(home: Profile) -> tuple[FakeCoordinator, object]:
    coordinator = masked_coordinator()
    return coordinator, await member(home, coordinator, trainer=JudgingTrainer())


async def test_a_masked_round_has_eight_steps_and_the_figures_of_its_roster(
    home: Profile,
) -> None:
    coordinator, node = await masked_member(home)
    idle = (await node.status()).privacy
    assert (idle.masked, idle.cohort, idle.threshold) == (True, 3, 3)
    cohort = MaskedCohort(coordinator)
    await cohort.offer()
    offered = (await node.status()).privacy
    assert (offered.cohort, offered.roster_hash) == (4, "")
    await cohort.introduce()
    seen = await node.status()
    assert (seen.privacy.cohort, seen.privacy.threshold, seen.privacy.minimum) == (4, 3, 3)
    assert len(seen.privacy.roster_hash) == 64
    everybody = {fingerprint(one.id) for one in (NODE, *PEERS)}
    assert {one.fingerprint for one in seen.roster} == everybody
    assert [one.is_me for one in seen.roster].count(True) == 1
    assert sum(one.is_new for one in seen.roster) == 3
    assert (seen.round.phase, seen.round.have, seen.round.need) == ("share", 4, 3)
    assert seen.alarms == (), "the first roster is all new, and no news"
    await cohort.include()
    assert (await node.status()).round.phase == "confirm"
    await cohort.choose(without=frozenset({PEERS[0].id}))
    seen = await node.status()
    assert (seen.round.have, seen.round.need) == (3, 3)
    lost = [one.fingerprint for one in seen.roster if one.lost]
    assert lost == [fingerprint(PEERS[0].id)]
    assert any(one.source == "peer" and "3 of 4 are left" in one.text for one in seen.log)
    await cohort.certify()
    seen = await node.status()
    assert seen.round.phase == "aggregate"
    coordinator.result(num_updates=3)
    await settle()
    seen = await node.status()
    (past,) = seen.rounds
    assert (past.outcome, past.masked, past.threshold) == ("counted", True, 3)
    assert (past.cohort, past.num_updates, past.dropped) == (4, 3, 1)
    assert [one.state for one in past.steps] == ["done"] * 8
    sent = {one.phase: one.num_bytes for one in past.steps}
    assert sent["upload"] + sent["mask"] >= len(coordinator.uploads[0])
    assert seen.privacy == idle
    await node.close()


async def test_a_stranger_in_a_later_roster_is_an_alarm(home: Profile) -> None:
    coordinator, node = await masked_member(home)
    first = MaskedCohort(coordinator)
    await first.until("introduce")
    coordinator.tell(Abort(incarnation=1, round=1, attempt=1, reason="too few"))
    known = {"federations": {"66" * 32: [NODE.id.hex(), PEERS[0].id.hex()]}}
    (home.root / "peers.json").write_text(json.dumps(known))
    await node.close()
    node = await member(home, coordinator, trainer=JudgingTrainer())
    second = MaskedCohort(coordinator, number=2)
    second.fake.said.clear()
    await second.until("introduce")
    seen = await node.status()
    (alarm,) = (one for one in seen.alarms if one.kind == "new identities")
    assert "2 nodes in the roster" in alarm.text
    assert set(alarm.detail) == {fingerprint(one.id) for one in PEERS[1:]}
    await node.close()


async def test_a_lying_coordinator_is_an_alarm_with_the_evidence(home: Profile) -> None:
    coordinator, node = await masked_member(home)
    cohort = MaskedCohort(coordinator)
    await cohort.offer()
    await introduce_forged(cohort)
    seen = await node.status()
    (alarm,) = seen.alarms
    assert alarm.kind == "lied"
    assert any("Roster" in line for line in alarm.detail)
    assert seen.rounds[-1].outcome == "failed"
    assert seen.round.sat_out
    assert coordinator.uploads == []
    await node.close()


async def introduce_forged(cohort: MaskedCohort) -> None:
    """A roster whose signature is another's."""
    tell = cohort.fake.tell

    def forged(message: object) -> None:
        if isinstance(message, Roster):
            message = msgspec.structs.replace(message, signature=b"x" * 64)
        tell(message)

    cohort.fake.tell = forged
    await cohort.introduce()
    cohort.fake.tell = tell


async def test_a_cohort_that_is_too_small_is_another_alarm(home: Profile) -> None:
    write_config(home, privacy=PrivacyTable(minimum=3))
    coordinator, node = await masked_member(home)
    coordinator.offer(cohort_size=2)
    await settle()
    (alarm,) = (await node.status()).alarms
    assert alarm.kind == "cohort too small"
    assert "nothing was sent" in alarm.text
    await node.close()


async def test_strangers_that_the_operator_did_not_approve_are_no_lie(home: Profile) -> None:
    known = [fingerprint(PEERS[0].id)]
    write_config(home, privacy=PrivacyTable(peers=known))
    coordinator, node = await masked_member(home)
    cohort = MaskedCohort(coordinator)
    await cohort.offer()
    await cohort.introduce()
    kinds = {one.kind for one in (await node.status()).alarms}
    assert kinds == {"new identities"}
    assert coordinator.uploads == []
    await node.close()


async def test_bytes_of_the_step_under_way_grow_while_somebody_watches(home: Profile) -> None:
    coordinator = FakeCoordinator()
    trainer = FakeTrainer(hold=asyncio.Event())
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer()
    await settle()
    before = (await node.status()).round
    assert before.phase == "train"
    coordinator.tally.received.num_ctrl += 100
    node._home.clock.now += 3
    node._membership.refresh()
    now = (await node.status()).round
    assert now.steps[2].num_bytes == before.steps[2].num_bytes + 100
    assert now.steps[2].seconds == before.steps[2].seconds + 3
    trainer.hold.set()
    await settle()
    await node.close()
