"""From a connection to a member: nothing is agreed to but by the operator, and exactly once."""

import msgspec
import pytest
from a_plan import COORDINATOR, NODE, PLAN
from fake_federation import FakeCoordinator, enter, make_node, member, settle, write_config
from fake_trainer import FakeTrainer
from masked_cohort import MaskedCohort, masked_coordinator

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import CloseCode, KeyFileError
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.plan import MASKED
from fedtui.status import Refused
from fedtui.wire.messages import Away, Declining, Fetch, Leaving, Waiting
from fedtui.wire.rotation import succeed
from node import config as configs
from node import consent, jobs
from node.config import PrivacyTable, TaskTable
from node.keystore import TrustStore
from node.models import Models
from node.paths import Profile


async def test_nothing_but_the_request_for_the_plan_leaves_before_consent(home: Profile) -> None:
    coordinator = FakeCoordinator()
    write_config(home)
    node = make_node(home, coordinator)
    await enter(home, node)
    seen = await node.status()
    assert seen.state == "asking"
    assert seen.plan is not None
    assert seen.plan.plan_hash == coordinator.plan_hash.hex()
    assert not seen.consented
    assert [type(said) for said in coordinator.said] == [Fetch]
    assert coordinator.readied == []
    await node.close()


async def test_consent_is_on_disk_before_the_coordinator_hears_of_it(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = FakeCoordinator()
    write_config(home)
    node = make_node(home, coordinator)
    await enter(home, node)
    on_disk: list[object] = []
    was_ready = coordinator.ready
    monkeypatch.setattr(
        coordinator,
        "ready",
        lambda *said: (on_disk.append(consent.load(home.consent)), was_ready(*said))[1],
    )
    await node.consent(coordinator.plan_hash.hex())
    await settle()
    assert on_disk
    assert on_disk[0] is not None
    assert on_disk[0].visible_updates is True
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_consent_to_another_hash_is_refused_and_says_both(home: Profile) -> None:
    coordinator = FakeCoordinator()
    write_config(home)
    node = make_node(home, coordinator)
    await enter(home, node)
    with pytest.raises(Refused) as refusal:
        await node.consent("0" * 64)
    assert "0" * 64 in refusal.value.text
    assert coordinator.plan_hash.hex() in refusal.value.text
    assert refusal.value.exit_code == 7
    assert consent.load(home.consent) is None
    assert coordinator.readied == []
    await node.close()


async def test_R2_identity_trust_and_consent_survive_a_restart(home: Profile) -> None:
    first = FakeCoordinator()
    node = await member(home, first)
    await node.close()
    second = FakeCoordinator()
    node = make_node(home, second)
    await enter(home, node)
    seen = await node.status()
    assert seen.state == "waiting"
    assert seen.consented
    assert second.readied == [second.plan_hash]
    assert not any(isinstance(said, Fetch) for said in second.said), "the plan is here already"
    assert seen.coordinator is not None
    assert seen.coordinator.fingerprint == fingerprint(COORDINATOR.id)
    assert seen.coordinator.pinned_at > 0
    await node.close()


async def test_a_changed_plan_stops_the_node_and_says_what_changed(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop()
    coordinator.plan = msgspec.structs.replace(PLAN, training=TrainingSpec(epochs=7))
    coordinator.connect()
    await settle()
    seen = await node.status()
    assert seen.state == "asking"
    assert seen.plan is not None
    assert any("epochs" in one or "training" in one for one in seen.plan.differs)
    assert seen.problem is not None
    assert coordinator.plan_hash.hex() in seen.problem.text
    assert len(coordinator.readied) == 1
    await node.consent(coordinator.plan_hash.hex())
    await settle()
    assert (await node.status()).state == "waiting"
    coordinator.offer()
    await settle()
    assert coordinator.uploads, "rounds go on under the new plan"
    await node.close()


async def test_terms_that_do_not_hash_to_the_announced_plan_are_refused(home: Profile) -> None:
    coordinator = FakeCoordinator()
    write_config(home)
    node = make_node(home, coordinator)
    real = coordinator.announced = coordinator.plan_hash
    coordinator.plan = msgspec.structs.replace(PLAN, seed=99)
    await enter(home, node)
    seen = await node.status()
    assert seen.state == "stopped"
    assert seen.problem is not None
    assert real.hex() in seen.problem.text
    await node.close()


@pytest.mark.parametrize("what", ["certificate", "role"])
async def test_an_enrolment_that_is_not_what_was_asked_stops_the_node(
    home: Profile, what: str
) -> None:
    coordinator = FakeCoordinator()
    if what == "certificate":
        coordinator.certified_by = Identity.from_seed(b"x" * 32)
    else:
        coordinator.role = "evaluator"
    node = await member(home, coordinator)
    seen = await node.status()
    assert seen.state == "stopped"
    assert seen.problem is not None
    coordinator.offer()
    await settle()
    assert coordinator.uploads == []
    await node.close()


async def test_pending_is_said_until_the_operator_approves(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.state = "pending"
    node = await member(home, coordinator)
    assert (await node.status()).state == "pending"
    coordinator.enrol()
    await settle()
    coordinator.tell(Waiting(incarnation=1, present=1, needed=3))
    seen = await node.status()
    assert seen.state == "waiting"
    assert "2 of 3" in seen.sentence
    await node.close()


async def test_E3_a_refused_identity_is_a_hard_stop_with_the_remedy(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    text = "the coordinator has fingerprint AAAA, but this node trusts BBBB"
    coordinator.drop(code=CloseCode.IDENTITY_MISMATCH, text=text, retry=False)
    seen = await node.status()
    assert seen.state == "stopped"
    assert seen.problem is not None
    assert seen.problem.text == text
    assert "trust replace" in seen.problem.remedy
    assert seen.consented, "nothing is forgotten for it"
    await node.close()


def rotate_coordinator(coordinator: FakeCoordinator) -> Identity:
    """Its next session is with a new key, that the old one vouches for."""
    new = Identity.from_seed(b"2" * 32)
    coordinator.successions = (succeed(coordinator.identity, new, seq=1),)
    coordinator.identity = coordinator.certified_by = new
    return new


async def test_E3_a_rotated_coordinator_is_followed_with_a_notice(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop()
    new = rotate_coordinator(coordinator)
    coordinator.connect()
    await settle()
    seen = await node.status()
    assert seen.state == "waiting"
    assert seen.coordinator is not None
    assert seen.coordinator.fingerprint == fingerprint(new.id)
    assert seen.coordinator.formerly == fingerprint(COORDINATOR.id)
    notices = [line for line in seen.log if "key was rotated" in line.text]
    assert [line.level for line in notices] == ["warning"]
    assert fingerprint(new.id) in notices[0].text
    assert fingerprint(COORDINATOR.id) in notices[0].text
    coordinator.drop()
    coordinator.connect()
    await settle()
    assert len([line for line in (await node.log()) if "rotated" in line.text]) == 1
    (trusted,) = node._home.trust.all()
    assert (trusted.id, trusted.former_ids) == (new.id, (COORDINATOR.id,))
    assert trusted.last_seq == 1
    coordinator.offer()
    await settle()
    assert (await node.ledger())[-1].receiver == fingerprint(new.id)
    await node.close()
    assert node._pinned(configs.load(home.config)).coordinator.id == new.id.hex()


async def test_E3_an_invite_that_names_the_old_key_is_good(home: Profile) -> None:
    coordinator = FakeCoordinator()
    rotate_coordinator(coordinator)
    node = await member(home, coordinator)
    assert (await node.status()).state == "waiting"
    (trusted,) = node._home.trust.all()
    assert trusted.former_ids == (COORDINATOR.id,)
    await node.close()


async def test_a_rotation_that_cannot_be_kept_stops_the_node(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop()
    rotate_coordinator(coordinator)

    def full(*_: object) -> None:
        raise KeyFileError("trusted.json cannot be written: no space")

    monkeypatch.setattr(TrustStore, "apply_rotation", full)
    coordinator.connect()
    await settle()
    assert (await node.status()).state == "stopped"
    await node.close()


async def test_a_lost_connection_is_shown_and_over_when_it_is_back(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop(text="no answer")
    seen = await node.status()
    assert seen.state == "connecting"
    assert "no answer" in seen.sentence
    coordinator.connect()
    await settle()
    seen = await node.status()
    assert seen.state == "waiting"
    assert seen.problem is None
    await node.close()


async def test_the_invite_is_said_once(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    assert all(hello.invite is None for hello in coordinator.hellos)
    await node.close()


async def test_pause_lasts_over_a_restart_and_is_told(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    await node.pause()
    assert (await node.status()).state == "paused"
    assert coordinator.said[-1] == Away(away=True)
    await node.close()
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    assert (await node.status()).state == "paused"
    assert Away(away=True) in coordinator.said
    coordinator.offer()
    await settle()
    assert coordinator.uploads == []
    await node.resume()
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_leaving_tells_the_coordinator_and_keeps_the_ledger(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    await node.leave()
    assert any(isinstance(said, Leaving) for said in coordinator.said)
    assert node.stopped.is_set()
    assert consent.load(home.consent) is None
    assert len(await node.ledger()) == 1
    assert (await node.status()).state == "idle"
    await node.close()


async def test_a_task_that_node_toml_does_not_allow_is_refused(home: Profile) -> None:
    coordinator = FakeCoordinator()
    write_config(home, task=TaskTable(allow=["tabular"]))
    node = make_node(home, coordinator)
    await enter(home, node)
    seen = await node.status()
    assert seen.state == "stopped"
    assert seen.problem is not None
    assert "digits" in seen.problem.text
    assert coordinator.readied == []
    await node.close()


async def test_check_says_what_is_wrong_here_and_sends_nothing(home: Profile) -> None:
    coordinator = FakeCoordinator()
    write_config(home)
    trainer = FakeTrainer(failure="row 3, column age: not a number")
    node = make_node(home, coordinator, trainer=trainer)
    await enter(home, node)
    report = await node.check()
    assert report.problems == ("row 3, column age: not a number",)
    trainer.failure = ""
    assert (await node.check()).problems == ()
    assert [type(said) for said in coordinator.said] == [Fetch]
    assert NODE.id.hex() == (await node.status()).node_id
    await node.close()


async def test_a_plan_with_visible_updates_is_refused_where_masks_are_required(
    home: Profile,
) -> None:
    coordinator = FakeCoordinator()
    write_config(home, privacy=PrivacyTable(require_masked=True))
    node = make_node(home, coordinator)
    await enter(home, node)
    seen = await node.status()
    assert seen.state == "stopped"
    assert "require_masked = true" in seen.sentence
    assert coordinator.readied == []
    await node.close()


async def test_consent_to_a_masked_plan_shows_nothing_to_anybody(home: Profile) -> None:
    coordinator = masked_coordinator()
    write_config(home, privacy=PrivacyTable(require_masked=True))
    node = await member(home, coordinator)
    given = consent.load(home.consent)
    assert given is not None
    assert not given.visible_updates
    work = [one.form for one in given.leaves if one.item.startswith(("update", "sums"))]
    assert work == [MASKED, MASKED]
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_another_federation_gets_another_machine(home: Profile) -> None:
    """What was agreed on in one federation's name is no context of another one's."""
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until("include")
    coordinator.drop()
    coordinator.federation_id = b"g" * 32
    coordinator.connect()
    await settle()
    assert not (home.work / "masked.u64").exists()
    coordinator.tell(cohort.half.survivors_message(1))
    await settle()
    assert "restarted" in cohort.last(Declining).reason
    await node.close()


async def test_another_federation_forgets_the_models_of_the_one_before(home: Profile) -> None:
    """Its rounds start at 1 again: 'model export' must not go on giving the older model."""
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(number=8)
    await settle()
    coordinator.result(number=8)
    assert Models(home.models).certified()[-1].round == 8
    coordinator.drop()
    coordinator.connect()
    await settle()
    assert Models(home.models).certified()[-1].round == 8, "a new session is no new federation"
    coordinator.drop()
    coordinator.federation_id = b"g" * 32
    coordinator.connect()
    await settle()
    assert Models(home.models).certified() == ()
    assert Models(home.models).newest_here() is None
    assert list(home.models.glob("*.f32")) == []
    coordinator.result(number=1)
    assert [one.round for one in Models(home.models).certified()] == [1]
    await node.close()


async def test_counted_rounds_are_those_of_this_federation_across_restarts(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    for number, counted in ((1, True), (2, False), (3, True)):
        coordinator.result(number=number, counted=counted)
    assert (await node.status()).rounds_counted == 2
    await node.close()
    node = await member(home, coordinator)
    assert (await node.status()).rounds_counted == 2
    coordinator.result(number=4)
    coordinator.drop()
    coordinator.connect()
    await settle()
    assert (await node.status()).rounds_counted == 3
    coordinator.drop()
    coordinator.federation_id = b"g" * 32
    coordinator.connect()
    await settle()
    assert (await node.status()).rounds_counted == 0
    await node.close()


class ReadingTrainer(FakeTrainer):
    """Says which examples it read."""

    digest = "ab" * 32

    async def run(self, job, *, on_progress):
        outcome = await super().run(job, on_progress=on_progress)
        seen = jobs.DataSeen(num_examples=7, digest=self.digest)
        if isinstance(outcome, jobs.Trained | jobs.Evaluated | jobs.Checked):
            return msgspec.structs.replace(outcome, data=seen)
        return outcome


async def test_changed_data_sends_nothing_and_sits_out_until_the_operator_agrees(
    home: Profile,
) -> None:
    coordinator, trainer = FakeCoordinator(), ReadingTrainer()
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer()
    await settle()
    coordinator.result()
    trainer.digest = "cd" * 32
    coordinator.offer(number=2)
    await settle()
    assert len(coordinator.uploads) == 1
    seen = await node.status()
    assert (seen.state, seen.consented) == ("asking", False)
    assert any("your data: was 7 examples" in one for one in seen.plan.differs)
    assert seen.alarms[-1].kind == "data changed"
    assert Away(away=True) in coordinator.said
    coordinator.result(number=2, counted=False)
    coordinator.offer(number=3)
    await settle()
    await node.resume()
    coordinator.offer(number=4)
    await settle()
    assert len(coordinator.uploads) == 1, "to resume is not to agree"
    await node.consent(seen.plan.plan_hash)
    await settle()
    assert coordinator.said[-1] == Away(away=False)
    seen = await node.status()
    assert (seen.state, seen.consented) == ("waiting", True)
    assert seen.receipt.data_digest == "cd" * 32
    coordinator.offer(number=5)
    await settle()
    assert len(coordinator.uploads) == 2
    await node.close()


async def test_a_budget_that_is_used_up_is_an_alarm_once(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    reason = "the 5 MB that you allow a day are used up (5.0 MB sent); again at 01:00"
    node._membership.rest(reason)
    node._membership.rest(reason)
    assert [one.kind for one in (await node.status()).alarms] == ["budget"]
    node._membership.rest("")
    assert (await node.status()).state == "waiting"
    await node.close()
