"""The driver: effects in order, the ledger first, and nothing lost or done twice."""

import asyncio
import os

import msgspec
import pytest
from a_plan import MODEL, UPDATE, digest_of, model_ref, vector_bytes
from fake_federation import FakeCoordinator, member, settle, write_config
from fake_trainer import FakeTrainer

from fedtui.status import Limits
from fedtui.wire import events
from fedtui.wire.messages import (
    Abort,
    Accepting,
    AuditHead,
    Declining,
    Ended,
    Evaluation,
    Fetch,
    Progress,
    Scored,
    Waiting,
)
from node import jobs, ledger, lines
from node.models import Models
from node.paths import Profile


async def test_a_round_from_offer_to_receipt(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    assert coordinator.uploads == [UPDATE]
    opening = coordinator.opened[0]
    assert (opening.round, opening.attempt, opening.digest) == (1, 1, digest_of(UPDATE))
    assert opening.update is not None
    assert opening.update.num_examples == 4
    coordinator.result()
    coordinator.tell(
        Scored(incarnation=1, round=1, metric="accuracy", score=0.9, num_examples=9, num_nodes=2)
    )
    seen = await node.status()
    assert seen.state == "waiting"
    assert seen.rounds_counted == 1
    assert seen.scores[-1].score == 0.9
    assert (home.work / "update.f32").exists() is False
    await node.close()


async def test_the_ledger_is_on_disk_before_the_stream_opens(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    before: list[tuple[ledger.Entry, ...]] = []
    coordinator.on_open = lambda: before.append(ledger.tail(home.ledger, 10))
    coordinator.offer()
    await settle()
    (entry,) = before[0]
    assert entry.digest == digest_of(UPDATE).hex()
    assert entry.num_bytes == len(UPDATE)
    assert "visible" in entry.form
    await node.close()


async def test_L5_without_a_ledger_nothing_leaves(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lines, "_sync", full)
    coordinator.offer()
    await settle()
    assert coordinator.uploads == []
    assert any(isinstance(said, Declining) for said in coordinator.said)
    seen = await node.status()
    assert seen.problem is not None
    assert "ledger" in seen.problem.text
    assert not any("the coordinator refused" in line.text for line in seen.log)
    assert ledger.tail(home.ledger, 10) == ()
    monkeypatch.setattr(lines, "_sync", os.fsync)
    coordinator.offer(number=2)
    await settle()
    assert coordinator.uploads == [UPDATE], "it resumes when there is space again"
    await node.close()


async def test_measuring_answers_with_sums_and_notes_it(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.evaluate()
    await settle()
    (answer,) = [said for said in coordinator.said if isinstance(said, Evaluation)]
    assert answer.sums["correct"] == 3.0
    assert (await node.ledger())[0].what.startswith("sums")
    await node.close()


async def test_a_failing_trainer_declines_and_only_its_operator_reads_why(home: Profile) -> None:
    coordinator = FakeCoordinator()
    trainer = FakeTrainer(failure="/home/me/data.csv is gone")
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer()
    await settle()
    (said,) = [one for one in coordinator.said if isinstance(one, Declining)]
    assert said.reason == "its data cannot be used; its operator is told why"
    seen = await node.status()
    assert seen.state == "waiting"
    assert any("/home/me/data.csv is gone" in line.text for line in seen.log)
    await node.close()


async def test_the_daily_limit_declines_the_round_that_would_pass_it(home: Profile) -> None:
    coordinator = FakeCoordinator()
    limit = Limits(max_upload_mb_per_day=1.5 * len(UPDATE) / 1e6)
    write_config(home, limits=limit)
    node = await member(home, coordinator)
    coordinator.offer(number=1)
    await settle()
    coordinator.offer(number=2)
    await settle()
    assert len(coordinator.uploads) == 1
    (said,) = [one for one in coordinator.said if isinstance(one, Declining)]
    assert "limit" in said.reason
    await node.close()


@pytest.mark.parametrize(
    "lie",
    [
        {"plan_hash": b"x" * 32},
        {"manifest_digest": b"x" * 32},
        {"model": msgspec.structs.replace(model_ref(), num_bytes=4 * len(MODEL))},
    ],
    ids=["plan", "shape", "size"],
)
async def test_A2_an_offer_outside_the_agreement_is_declined(
    home: Profile, lie: dict[str, object]
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(**lie)
    await settle()
    assert any(isinstance(said, Declining) for said in coordinator.said)
    assert not any(isinstance(said, Accepting) for said in coordinator.said)
    assert coordinator.uploads == []
    await node.close()


async def test_R2_a_restarted_node_sends_what_it_trained_before(home: Profile) -> None:
    first = FakeCoordinator()
    first.receipts = False
    node = await member(home, first)
    first.offer()
    await settle()
    assert len(first.uploads) == 1
    await node.close()  # no receipt came: the coordinator holds a part
    second = FakeCoordinator()
    second.upload_offset = 600
    trainer = FakeTrainer()
    node = await member(home, second, trainer=trainer)
    second.offer(attempt=2)
    await settle()
    assert not any(isinstance(job, jobs.TrainJob) for job in trainer.done), "trained once"
    assert second.uploads == [UPDATE[600:]]
    assert second.opened[0].digest == digest_of(UPDATE)
    await node.close()


async def test_R2_an_update_for_another_model_is_not_sent_again(home: Profile) -> None:
    first = FakeCoordinator()
    first.receipts = False
    node = await member(home, first)
    first.offer()
    await settle()
    await node.close()
    second = FakeCoordinator()
    other = vector_bytes(9)
    second.models[digest_of(other)] = other
    trainer = FakeTrainer()
    node = await member(home, second, trainer=trainer)
    second.offer(model=model_ref(other))
    await settle()
    assert [type(job) for job in trainer.done] == [jobs.TrainJob]
    await node.close()


async def test_a_reconnect_in_mid_upload_opens_the_stream_again(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.drop()
    coordinator.receipts, coordinator.upload_offset = True, 500
    coordinator.connect()
    await settle()
    coordinator.offer()
    await settle()
    assert coordinator.uploads == [UPDATE, UPDATE[500:]]
    assert len(await node.ledger()) == 1, "the same bytes are one entry"
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_a_partial_model_is_gone_on_with(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.serve_bulk = True
    node = await member(home, coordinator)
    coordinator.serve_bulk = False
    coordinator.offer()
    await settle()
    coordinator.drop()
    coordinator.serve_bulk = True
    coordinator.connect()
    await settle()
    coordinator.offer()
    await settle()
    assert coordinator.served_from == 100
    assert coordinator.uploads == [UPDATE]
    await node.close()


async def test_an_abort_stops_the_trainer_and_the_next_round_gets_it(home: Profile) -> None:
    coordinator = FakeCoordinator()
    trainer = FakeTrainer(hold=asyncio.Event())
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer()
    await settle()
    await node.pause()
    await settle()
    assert trainer.num_cancelled == 1
    assert any(isinstance(said, Declining) for said in coordinator.said)
    assert coordinator.uploads == []
    await node.resume()
    coordinator.offer(number=2)
    await settle()
    assert coordinator.uploads == [UPDATE]
    await node.close()


async def test_the_deadline_is_kept_by_one_timer(home: Profile) -> None:
    coordinator = FakeCoordinator()
    trainer = FakeTrainer(hold=asyncio.Event())
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer(deadline_s=0.01)
    await settle()
    async with asyncio.timeout(10):
        async for seen in node.watch():
            if seen.state == "waiting":
                break
    assert trainer.num_cancelled == 1
    assert any("deadline" in line.text for line in seen.log)
    await node.close()


async def test_audit_heads_are_kept_once_and_never_backwards(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    for number, sequence in ((1, 5), (2, 9), (3, 7)):
        head = AuditHead(sequence=sequence, hash=b"h" * 32, signature=b"s" * 64)
        coordinator.result(number, audit_head=head)
    kept = [entry for entry in ledger.entries(home.ledger) if entry and entry.kind == "head"]
    assert [entry.sequence for entry in kept] == [5, 9]
    await node.close()


async def test_the_end_fetches_the_result_and_lets_go(home: Profile) -> None:
    coordinator = FakeCoordinator()
    trainer = FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    final = vector_bytes(5)
    coordinator.models[digest_of(final)] = final
    coordinator.tell(
        Ended(incarnation=1, reason="target reached", model=model_ref(final, 3), score=0.95)
    )
    await settle()
    seen = await node.status()
    assert seen.final
    assert seen.state == "stopped"
    assert "target reached" in seen.sentence
    newest = Models(home.models).newest_here()
    assert newest is not None
    assert (newest.round, newest.final, newest.score) == (3, True, 0.95)
    assert coordinator.stopped.is_set()
    assert trainer.state == "stopped"
    await node.close()


async def test_a_federation_that_goes_on_is_no_longer_said_to_be_paused(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.tell(Waiting(incarnation=1, present=2, needed=2, paused=True))
    assert "paused the federation" in (await node.status()).sentence
    coordinator.offer()
    await settle()
    coordinator.result()
    assert (await node.status()).sentence == "waiting for the next round"
    await node.close()


async def test_progress_is_told_rarely(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    assert not any(isinstance(said, Progress) for said in coordinator.said)
    await node.close()


async def test_an_update_that_is_wanted_again_and_again_passes_no_limit(home: Profile) -> None:
    """A coordinator that refuses every copy gets one more than the ledger says, at most."""
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    limit = Limits(max_upload_mb_per_day=2.5 * len(UPDATE) / 1e6)
    write_config(home, limits=limit)
    node = await member(home, coordinator)
    for _ in range(10):
        coordinator.offer()
        await settle()
        coordinator.handler.event(events.StreamRefused(coordinator._stream, 4006, "again"))
    sent = sum(len(data) for data in coordinator.uploads)
    noted = sum(line.num_bytes for line in await node.ledger())
    assert noted == 2 * len(UPDATE)
    assert sent <= noted + len(UPDATE)
    assert any(isinstance(s, Declining) and "limit" in s.reason for s in coordinator.said)
    assert any("the update was not sent: " in line.text for line in (await node.log()))
    await node.close()


async def test_A2_a_result_of_another_size_is_not_fetched(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    huge = msgspec.structs.replace(model_ref(vector_bytes(5), 3), num_bytes=2**50)
    coordinator.tell(Ended(incarnation=1, reason="done", model=huge, score=0.95))
    await settle()
    fetched = [one for one in coordinator.said if isinstance(one, Fetch) and one.kind == "model"]
    assert fetched == []
    assert Models(home.models).certified() == ()
    assert (await node.status()).state == "stopped"
    await node.close()


async def test_L5_a_full_disk_ends_no_session(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be kept is said; the link, which hears no exception, goes on."""
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        for name in ("certify", "tidy", "begin"):
            broken.setattr(Models, name, full)
        coordinator.result(number=1)
        coordinator.offer(number=2)
        await settle()
    seen = await node.status()
    assert seen.problem is not None
    assert "No space left" in seen.problem.text
    assert seen.rounds_counted == 1
    coordinator.offer(number=3)
    await settle()
    assert coordinator.uploads == [UPDATE], "it resumes when there is space again"
    await node.close()


async def test_what_is_held_for_the_strategy_counts_as_long_as_the_round_does(
    home: Profile,
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    mine = home.work / "held" / coordinator.federation_id.hex()[:16]
    theirs = home.work / "held" / "another"
    for folder in (mine, theirs):
        folder.mkdir(parents=True)
        (folder / "round-00000001.safetensors").write_bytes(b"held")
    coordinator.tell(Abort(incarnation=1, round=1, attempt=1, reason="too few votes"))
    await settle()
    assert [one.name for one in mine.iterdir()] == ["round-00000001.safetensors.pending"]
    coordinator.result()
    await settle()
    assert [one.name for one in mine.iterdir()] == ["round-00000001.safetensors"]
    assert [one.name for one in theirs.iterdir()] == ["round-00000001.safetensors"]
    await node.close()
