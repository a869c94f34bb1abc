"""One real node and three simulated peers through masked rounds: what leaves, and what never."""

import asyncio
import base64

import numpy as np
import pytest
from a_plan import MODEL, UPDATE, model_ref
from fake_federation import member, settle, write_config
from fake_trainer import FakeTrainer
from masked_cohort import PEERS, MaskedCohort, masked_coordinator

from fedtui.crypto.keys import fingerprint
from fedtui.crypto.keystream import processor_has_aes
from fedtui.rounds.masked_work import Floors
from fedtui.rounds.plan import MASKED
from fedtui.wire.masked_messages import MaskedSums, Ready, Reveal, Shares, Vote
from fedtui.wire.messages import Declining, Evaluation
from node import jobs, journal, lines
from node.config import PrivacyTable
from node.masked_rounds import floors
from node.paths import Profile

OWN = np.frombuffer(UPDATE, "<f4")


def kinds(home: Profile) -> list[str]:
    return [entry.kind for entry in journal.entries(home.journal) if entry is not None]


def num_said(cohort: MaskedCohort, kind: type) -> int:
    return sum(isinstance(one, kind) for one in cohort.fake.said)


async def test_a_round_is_opened_together_and_gives_the_exact_sum(home: Profile) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until("certify")
    opened = cohort.open()
    expected = OWN.astype(float) + sum(update.astype(float) for update in cohort.updates.values())
    assert np.abs(opened.values_D - expected).max() <= 4 / cohort.layout.scale
    assert opened.scalars["examples"] == 4 + 3 * 2
    (ready,) = [one for one in coordinator.said if isinstance(one, Ready)]
    assert ready.aes == processor_has_aes()
    (opening,) = coordinator.opened
    assert (opening.kind, opening.num_bytes) == ("masked", cohort.layout.num_bytes)
    assert opening.update is None
    seen = await node.status()
    assert seen.state == "confirming"
    assert "round 1" in seen.sentence
    coordinator.result(model=model_ref(b"x" * len(MODEL), 1))
    await settle()
    seen = await node.status()
    assert seen.state == "waiting"
    assert seen.rounds_counted == 1
    assert kinds(home) == ["vote", "reveal", "result"]
    assert list(home.work.iterdir()) == []
    await node.close()


async def test_the_operator_is_told_the_form_the_cohort_and_who_could_learn_what(
    home: Profile,
) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    await MaskedCohort(coordinator).until("certify")
    seen = await node.status()
    assert seen.plan is not None
    assert "each over at least 2 honest nodes" in seen.plan.privacy
    (line,) = await node.ledger()
    assert line.form == MASKED
    assert line.what.endswith("(cohort of 4, sums of 3 or more)")
    assert line.digest == coordinator.opened[0].digest.hex()
    (said,) = [one.text for one in seen.log if "is in a sum" in one.text]
    assert said.startswith(
        "round 1: your update is in a sum of 4 nodes, of 4 that were ready; 3 of them open it; "
    )
    assert "the coordinator and up to 1 node in league with it can learn sums only, each" in said
    assert "over at least 2 honest nodes" in said
    assert "all the other 3 together would know your update" in said
    await node.close()


async def test_a_lost_peer_is_unmasked_and_the_rest_is_summed(home: Profile) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until("include")
    await cohort.choose(without=frozenset({PEERS[0].id}))
    await cohort.certify()
    expected = OWN.astype(float)
    for peer in PEERS[1:]:
        expected = expected + cohort.updates[peer.id]
    assert np.abs(cohort.open().values_D - expected).max() <= 4 / cohort.layout.scale
    reveal = cohort.last(Reveal)
    (lost,) = reveal.masks
    assert lost.position not in {share.position for share in reveal.selves}, "never both of one"
    await node.close()


async def test_what_it_goes_along_with_is_on_disk_before_it_is_said(home: Profile) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    on_disk: list[tuple[type, list[str]]] = []
    coordinator.on_said = lambda message: on_disk.append((type(message), kinds(home)))
    cohort = await MaskedCohort(coordinator).until("certify")
    assert (Vote, ["vote"]) in on_disk
    assert (Reveal, ["vote", "reveal"]) in on_disk
    coordinator.tell(cohort.half.survivors_message(1))
    coordinator.tell(cohort.half.votes(1))
    await settle()
    assert num_said(cohort, Vote) == num_said(cohort, Reveal) == 2, "the same is answered again"
    assert kinds(home) == ["vote", "reveal"], "and written once"
    vote = next(journal.entries(home.journal))
    assert vote is not None
    assert (vote.purpose, vote.round, vote.attempt, vote.num_survivors) == ("update", 1, 1, 4)
    assert vote.model == model_ref().digest.hex()
    await node.close()


@pytest.mark.parametrize("step", ["include", "choose"])
async def test_a_restarted_node_has_no_secrets_and_declines(home: Profile, step: str) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until(step)
    assert (home.work / "masked.u64").exists()
    await node.close()
    trainer = FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    assert not (home.work / "masked.u64").exists(), "its keys are gone"
    votes = num_said(cohort, Vote)
    coordinator.tell(cohort.mailbox if step == "include" else cohort.half.votes(1))
    await settle()
    assert "restarted" in cohort.last(Declining).reason
    assert num_said(cohort, Vote) == votes
    assert num_said(cohort, Reveal) == 0
    coordinator.offer(attempt=2, cohort_size=4)
    await settle()
    if step == "choose":
        assert "voted for a sum of round 1" in cohort.last(Declining).reason
        assert num_said(cohort, Ready) == 1
    else:
        assert num_said(cohort, Ready) == 2, "it did not vote: another attempt is fine"
        assert not any(isinstance(job, jobs.TrainJob) for job in trainer.done), "trained once"
    await node.close()


async def test_a_second_survivor_set_is_refused_and_kept_as_evidence(home: Profile) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until("choose")
    coordinator.tell(cohort.another_survivor_set(without=PEERS[0].id))
    await settle()
    assert num_said(cohort, Vote) == 1
    assert "second, different survivors" in cohort.last(Declining).reason
    seen = await node.status()
    warnings = [line.text for line in seen.log if line.level == "warning"]
    assert any("second, different survivors" in text for text in warnings)
    assert seen.state == "waiting"
    assert kinds(home) == ["vote"]
    assert list(home.work.iterdir()) == [], "the update is erased"
    coordinator.tell(cohort.half.survivors_message(1))
    coordinator.offer(attempt=2, cohort_size=4)
    await settle()
    assert (num_said(cohort, Vote), num_said(cohort, Ready)) == (1, 1)
    await node.close()


@pytest.mark.parametrize(("step", "unsaid"), [("choose", Vote), ("certify", Reveal)])
async def test_L5_without_a_journal_nothing_is_said(
    home: Profile, monkeypatch: pytest.MonkeyPatch, step: str, unsaid: type
) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until("include" if step == "choose" else "choose")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(lines, "_sync", full)
        await getattr(cohort, step)()
    assert num_said(cohort, unsaid) == 0
    said = cohort.last(Declining)
    assert (said.round, said.attempt) == (1, 1)
    assert "journal cannot be written: No space left" in said.reason
    seen = await node.status()
    assert seen.state == "waiting"
    assert seen.problem is not None
    assert "journal" in seen.problem.text
    assert kinds(home) == (["vote"] if unsaid is Reveal else [])
    coordinator.tell(cohort.half.survivors_message(1))
    await settle()
    assert num_said(cohort, unsaid) == 0, "the attempt is over for this node"
    await node.close()


async def test_L5_without_a_ledger_no_masked_sums_leave(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator, kind="evaluation").until("introduce")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(lines, "_sync", full)
        with pytest.raises(AssertionError, match="no MaskedSums was said"):
            await cohort.include()
    assert "ledger cannot be written" in cohort.last(Evaluation).reason
    assert cohort.last(Evaluation).sums == {}
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_sums_of_an_evaluation_are_masked_too(home: Profile) -> None:
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator, kind="evaluation").until("certify")
    assert cohort.open().scalars == {"correct": 3.0 + 6, "examples": 4.0 + 6, "loss_sum": 1.5 + 6}
    assert num_said(cohort, MaskedSums) == 1
    assert num_said(cohort, Evaluation) == 0
    (line,) = await node.ledger()
    assert line.form == MASKED
    assert kinds(home) == ["vote", "reveal"]
    await node.close()


async def test_two_sums_on_one_model_without_a_result_and_the_operator_is_asked(
    home: Profile,
) -> None:
    """Over a restart, too; and what the operator allows is not forgotten by the next one."""
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    for number in (1, 2):
        cohort = await MaskedCohort(coordinator, number).until("certify")
        coordinator.result(number, model=model_ref(number=number))  # the very model it began with
    await node.close()
    node = await member(home, coordinator)
    coordinator.offer(3, cohort_size=4)
    await settle()
    assert "fedtui resume" in cohort.last(Declining).reason
    assert num_said(cohort, Ready) == 2
    await node.resume()
    await node.close()
    node = await member(home, coordinator)
    coordinator.offer(4, cohort_size=4)
    await settle()
    assert num_said(cohort, Ready) == 3
    await node.close()


async def test_a_reconnect_in_mid_upload_goes_on_with_the_same_vector(home: Profile) -> None:
    coordinator = masked_coordinator()
    coordinator.receipts = False
    trainer = FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    cohort = await MaskedCohort(coordinator).until("include")
    coordinator.drop()
    coordinator.receipts, coordinator.upload_offset = True, 500
    coordinator.connect()
    await settle()
    coordinator.tell(cohort.mailbox)
    await settle()
    whole, rest = coordinator.uploads
    assert rest == whole[500:]
    assert len(await node.ledger()) == 1, "the same bytes are one entry"
    assert [type(job) for job in trainer.done] == [jobs.TrainJob, jobs.MaskJob], "masked once"
    assert (await node.status()).state == "confirming"
    await node.close()


async def test_C4_no_secret_of_an_attempt_reaches_the_disk_or_a_repr(home: Profile) -> None:
    coordinator = masked_coordinator()
    trainer = FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    await MaskedCohort(coordinator).until("certify")
    (job,) = [one for one in trainer.done if isinstance(one, jobs.MaskJob)]
    assert len(job.plus) + len(job.minus) == 4
    files = [path.read_bytes() for path in home.root.rglob("*") if path.is_file()]
    shown = [repr(job).encode(), repr(await node.status()).encode()]
    for seed in (*job.plus, *job.minus):
        for form in (seed, seed.hex().encode(), base64.b64encode(seed)):
            assert not any(form in content for content in (*files, *shown))
    await node.close()


async def test_an_update_that_cannot_be_masked_declines_the_round(home: Profile) -> None:
    coordinator = masked_coordinator()
    trainer = FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    cohort = await MaskedCohort(coordinator).until("introduce")
    trainer.failure = "the update holds NaN or Inf: nothing is sent"
    with pytest.raises(IndexError):
        await cohort.include()
    assert "its operator is told why" in cohort.last(Declining).reason
    assert coordinator.uploads == []
    seen = await node.status()
    assert seen.state == "waiting"
    assert any("NaN" in line.text for line in seen.log)
    await node.close()


async def test_a_damaged_journal_is_said(home: Profile) -> None:
    home.journal.write_bytes(b"nonsense\n" + b'{"kind":"vo')
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    warnings = [line.text for line in (await node.status()).log if line.level == "warning"]
    assert any("1 damaged lines" in text and "11 bytes" in text for text in warnings)
    assert home.journal.read_bytes() == b"nonsense\n"
    await node.close()


async def test_a_journal_that_cannot_be_opened_ends_in_a_sentence(home: Profile) -> None:
    home.journal.mkdir()
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    seen = await node.status()
    assert seen.state == "stopped"
    assert "journal cannot be opened" in seen.sentence
    await node.close()


async def test_what_is_masked_too_late_is_not_sent_and_not_kept(home: Profile) -> None:
    coordinator = masked_coordinator()
    trainer = FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    cohort = await MaskedCohort(coordinator).until("introduce")
    trainer.hold = asyncio.Event()
    with pytest.raises(IndexError):
        await cohort.include()
    seen = await node.status()
    assert (seen.state, seen.round.phase) == ("masking", "mask")
    coordinator.result(model=model_ref(b"x" * len(MODEL), 1))  # it went on without this node
    await settle()
    assert trainer.num_cancelled == 1
    assert coordinator.uploads == []
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_a_vector_that_changed_on_disk_is_not_sent(home: Profile) -> None:
    coordinator = masked_coordinator()
    coordinator.receipts = False
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until("include")
    coordinator.drop()
    (home.work / "masked.u64").write_bytes(b"short")
    coordinator.connect()
    await settle()
    coordinator.tell(cohort.mailbox)
    await settle()
    assert len(coordinator.uploads) == 1
    assert any("not the one that was made" in line.text for line in (await node.status()).log)
    assert "not the one that was made" in cohort.last(Declining).reason
    await node.close()


@pytest.mark.parametrize("num_known", [3, 2])
async def test_P2_only_nodes_that_node_toml_names_get_shares(
    home: Profile, num_known: int
) -> None:
    known = [fingerprint(peer.id) for peer in PEERS[:num_known]]
    write_config(home, privacy=PrivacyTable(peers=known))
    coordinator = masked_coordinator()
    node = await member(home, coordinator)
    cohort = await MaskedCohort(coordinator).until("introduce")
    everybody = num_known == len(PEERS)
    assert num_said(cohort, Shares) == everybody
    if not everybody:
        assert fingerprint(PEERS[2].id) in cohort.last(Declining).reason
        assert any("did not approve" in line.text for line in (await node.status()).log)
    await node.close()


def test_the_floors_are_those_of_node_toml() -> None:
    table = PrivacyTable(minimum=7, colluders=2, same_model=5)
    assert floors(table) == Floors(minimum=7, colluders=2, same_model=5)
    assert floors(PrivacyTable()) == Floors()
