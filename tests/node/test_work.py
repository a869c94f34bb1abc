"""Jobs follow plan and configuration, one at a time; a stopped one is never heard of."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from a_plan import MANIFEST, MODEL, PLAN, UPDATE, digest_of, model_ref
from fake_federation import settle, write_config
from fake_trainer import FakeTrainer
from masked_cohort import PLAN as MASKED_PLAN

from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.privacy.noise import Noise
from fedtui.rounds import machine, masking, masking_steps
from fedtui.rounds.plan import (
    DeadlinesSection,
    DpSection,
    EvaluationSection,
    Named,
    Plan,
    TaskSection,
    plan_hash,
)
from fedtui.secagg.participant import Masks
from fedtui.status import Refused
from fedtui.telling.agreement import Agreement
from fedtui.wire.messages import UpdateHeader
from node import jobs
from node.config import DataTable, NodeConfig, TaskTable
from node.models import Models
from node.paths import Profile
from node.updates import Updates
from node.work import Hears, Places, Work, data_source, task_ref

PLANNED = Agreement(PLAN, MANIFEST, plan_hash(PLAN, MANIFEST))


class Bench:
    def __init__(self, home: Profile, trainer: FakeTrainer) -> None:
        self.heard: list[machine.ParticipantEvent] = []
        self.trainer = trainer
        self.judged: list[tuple[int, jobs.Judged]] = []
        self.data: list[jobs.DataSeen] = []
        self.drifted: list[jobs.Drift] = []
        self.checked: list[jobs.DataSeen] = []
        self.words: list[str] = []
        self.refusal = ""
        self.work = Work(
            trainer=trainer,
            places=Places(Models(home.models), Updates(home.work), home.tasks),
            tell=self.heard.append,
            hears=Hears(
                progress=lambda _: None,
                judged=self._judged,
                drifted=self.drifted.append,
                data=self._data,
                checked=self.checked.append,
                noticed=self.words.append,
                failed=self.words.append,
            ),
        )

    def _judged(self, number: int, judged: jobs.Judged) -> str:
        self.judged.append((number, judged))
        return self.refusal

    def _data(self, data: jobs.DataSeen) -> str:
        self.data.append(data)
        return self.refusal


async def test_a_train_job_says_exactly_what_the_plan_and_the_operator_said(home: Profile) -> None:
    bench = Bench(home, FakeTrainer())
    config = write_config(home, data=DataTable(path="/d", split="quantity:1", shard="2/4"))
    bench.work.train(machine.Train(5, 1, model_ref()), PLANNED, config)
    await settle()
    (job,) = bench.trainer.done
    assert isinstance(job, jobs.TrainJob)
    assert (job.round, job.node_index, job.seed) == (5, 2, PLAN.seed)
    assert job.data.path == "/d"
    assert (job.data.shard, job.data.num_shards, job.data.split) == (2, 4, "quantity:1")
    assert job.holdout == PLAN.evaluation.held_out
    assert job.model_path.endswith(f"{model_ref().digest.hex()}.f32")
    (event,) = bench.heard
    assert isinstance(event, machine.Trained)
    assert event.num_bytes == len(MODEL)


def hiding_plan(mechanism: str, plan: Plan = PLAN) -> Plan:
    return msgspec.structs.replace(
        plan,
        dp=DpSection(mechanism=mechanism, noise=1.5, delta=0.01),
        training=TrainingSpec(update_clip=2.0),
    )


@pytest.mark.parametrize(
    ("mechanism", "masked", "noise"),
    [
        ("local", False, Noise(clip=2.0, sigma=3.0)),
        ("central", False, Noise(clip=2.0, sigma=0.0)),
        ("local", True, None),  # masking adds it
    ],
)
async def test_what_leaves_visible_is_hidden_by_the_trainer_and_tells_nothing_beside(
    home: Profile, mechanism: str, masked: bool, noise: Noise | None
) -> None:
    bench = Bench(home, FakeTrainer())
    plan = hiding_plan(mechanism, MASKED_PLAN if masked else PLAN)
    agreement = Agreement(plan, MANIFEST, plan_hash(plan, MANIFEST))
    bench.work.train(machine.Train(5, 1, model_ref()), agreement, write_config(home))
    await settle()
    (job,) = bench.trainer.done
    assert job.noise == noise
    (event,) = bench.heard
    assert event.header == UpdateHeader(num_examples=1, sums={})


@pytest.mark.parametrize("partial", [False, True])
async def test_work_is_bounded_by_time_only_if_the_plan_takes_partial_work(
    home: Profile, partial: bool
) -> None:
    bench = Bench(home, FakeTrainer())
    plan = msgspec.structs.replace(PLAN, deadlines=DeadlinesSection(partial=partial))
    agreement = Agreement(plan, MANIFEST, plan_hash(plan, MANIFEST))
    effect = machine.Train(5, 1, model_ref(), within_s=7.5)
    bench.work.train(effect, agreement, write_config(home))
    await settle()
    (job,) = bench.trainer.done
    assert job.within_s == (7.5 if partial else None)


@pytest.mark.parametrize(("role", "part"), [("participant", "train"), ("evaluator", "test")])
async def test_an_evaluator_measures_all_of_its_test_data(
    home: Profile, role: str, part: str
) -> None:
    bench = Bench(home, FakeTrainer())
    plan = msgspec.structs.replace(PLAN, evaluation=EvaluationSection(holdout=0.3))
    agreement = Agreement(plan, MANIFEST, b"h" * 32)
    config = msgspec.structs.replace(write_config(home), role=role)
    bench.work.measure(machine.Measure(2, model_ref()), agreement, config)
    await settle()
    (job,) = bench.trainer.done
    assert isinstance(job, jobs.EvaluateJob)
    assert job.data.part == part
    assert job.holdout == (0.0 if role == "evaluator" else 0.3)
    assert isinstance(bench.heard[0], machine.Measured)


async def test_a_model_is_measured_with_what_this_node_held_after_that_round(
    home: Profile,
) -> None:
    bench = Bench(home, FakeTrainer())
    chosen = Named(name="fedper", options={"stays": ["bias"]})
    plan = msgspec.structs.replace(PLAN, strategy=chosen)
    holding = Updates(home.work).holding
    for number in (1, 2, 3):
        _, after = holding.begin("", number)
        after.write_bytes(b"held")
        holding.settled("", number, counted=True)
    agreement = Agreement(plan, MANIFEST, b"h" * 32)
    bench.work.measure(machine.Measure(2, model_ref()), agreement, write_config(home))
    await settle()
    (job,) = bench.trainer.done
    assert isinstance(job, jobs.EvaluateJob)
    assert Path(job.held_in).name == "round-00000002.safetensors"
    assert (job.strategy, job.strategy_options) == ("fedper", chosen.options)


async def test_a_check_says_that_the_strategy_does_not_fit_the_model(home: Profile) -> None:
    plan = msgspec.structs.replace(PLAN, strategy=Named(name="fedper"))
    agreement = Agreement(plan, MANIFEST, b"h" * 32)
    bench = Bench(home, FakeTrainer(manifest=MANIFEST))
    report = await bench.work.check(agreement, write_config(home))
    (problem,) = report.problems
    assert "head.*" in problem
    assert "weight, bias" in problem


async def test_a_check_says_that_tensors_stay(home: Profile) -> None:
    chosen = Named(name="fedper", options={"stays": ["bias"]})
    agreement = Agreement(msgspec.structs.replace(PLAN, strategy=chosen), MANIFEST, b"h" * 32)
    bench = Bench(home, FakeTrainer(manifest=MANIFEST))
    report = await bench.work.check(agreement, write_config(home))
    assert report.facts[1].endswith("fedper: zeros in place of tensors that stay here (bias)")


async def test_a_cancelled_job_is_never_heard_of_and_the_next_one_runs(home: Profile) -> None:
    trainer = FakeTrainer(hold=asyncio.Event())
    bench = Bench(home, trainer)
    config = write_config(home)
    bench.work.train(machine.Train(1, 1, model_ref()), PLANNED, config)
    await settle()
    bench.work.train(machine.Train(2, 1, model_ref()), PLANNED, config)
    await settle()
    assert trainer.num_cancelled == 1
    assert [event.round for event in bench.heard if isinstance(event, machine.Trained)] == [2]
    await bench.work.close()
    assert trainer.state == "stopped"


async def test_three_jobs_in_a_row_end_with_the_last(home: Profile) -> None:
    trainer = FakeTrainer(hold=asyncio.Event())
    bench = Bench(home, trainer)
    config = write_config(home)
    for number in (1, 2, 3):
        bench.work.train(machine.Train(number, 1, model_ref()), PLANNED, config)
    await settle()
    assert [event.round for event in bench.heard if isinstance(event, machine.Trained)] == [3]


async def test_failures_come_back_by_their_kind_and_the_words_stay_here(home: Profile) -> None:
    bench = Bench(home, FakeTrainer(failure="/home/me/age.csv, row 3: 'x' is no number"))
    config = write_config(home)
    bench.work.train(machine.Train(1, 2, model_ref()), PLANNED, config)
    await settle()
    bench.work.measure(machine.Measure(1, model_ref()), PLANNED, config)
    await settle()
    told = "its data cannot be used; its operator is told why"
    assert bench.heard == [machine.JobFailed(1, 2, told), machine.JobFailed(1, 0, told)]
    assert bench.words == ["round 1: /home/me/age.csv, row 3: 'x' is no number"] * 2


@pytest.mark.parametrize("refusal", ["", "other data than agreed"])
async def test_what_was_made_of_other_data_than_agreed_never_leaves(
    home: Profile, refusal: str
) -> None:
    bench = Bench(home, FakeTrainer())
    bench.refusal = refusal
    config = write_config(home)
    bench.work.train(machine.Train(1, 2, model_ref()), PLANNED, config)
    await settle()
    bench.work.measure(machine.Measure(1, model_ref()), PLANNED, config)
    await settle()
    assert len(bench.data) == 2
    if refusal:
        failed = [machine.JobFailed(1, 2, refusal), machine.JobFailed(1, 0, refusal)]
        assert bench.heard == failed
        assert list(home.work.iterdir()) == []
    else:
        kinds = [type(event) for event in bench.heard]
        assert kinds == [machine.Trained, machine.Measured]


@pytest.mark.parametrize("call", ["keep", "drop"])
async def test_L5_a_full_disk_fails_the_job_at_once(
    home: Profile, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Updates, call, full)
    bench = Bench(home, FakeTrainer())
    bench.work.train(machine.Train(1, 2, model_ref()), PLANNED, write_config(home))
    await settle()
    reason = "the node's disk fails: No space left on device"
    assert bench.heard == [machine.JobFailed(1, 2, reason)]


async def test_a_task_file_that_is_not_here_fails_the_job_at_once(home: Profile) -> None:
    plan = msgspec.structs.replace(PLAN, task=TaskSection(name="mine", sha256="ab" * 32))
    bench = Bench(home, FakeTrainer())
    agreement = Agreement(plan, MANIFEST, b"h" * 32)
    bench.work.measure(machine.Measure(3, model_ref()), agreement, NodeConfig())
    await settle()
    (event,) = bench.heard
    assert isinstance(event, machine.JobFailed)
    assert (event.round, event.attempt) == (3, 0)
    assert "needs the task file" in event.reason


async def test_a_check_compares_the_model_here_with_the_plans(home: Profile) -> None:
    other = Manifest((TensorSpec("weight", (2,)),))
    bench = Bench(home, FakeTrainer(manifest=other))
    report = await bench.work.check(PLANNED, write_config(home))
    assert "not the model of the plan" in report.problems[0]


async def test_a_check_that_fails_says_with_which_exit_code(home: Profile) -> None:
    bench = Bench(home, FakeTrainer(failure="/d does not exist", kind="missing"))
    report = await bench.work.check(PLANNED, write_config(home))
    assert (report.problems, report.exit_code) == (("/d does not exist",), 66)


async def test_an_observer_needs_no_data(home: Profile) -> None:
    bench = Bench(home, FakeTrainer(failure="x"))
    report = await bench.work.check(PLANNED, NodeConfig(role="observer"))
    assert report.problems == ()
    assert report.facts[-1] == "would send its name and keys"


async def test_the_check_of_an_evaluator_says_that_no_update_would_leave(home: Profile) -> None:
    bench = Bench(home, FakeTrainer())
    report = await bench.work.check(PLANNED, NodeConfig(role="evaluator"))
    assert "would send 3 sums over them, no update: loss_sum" in report.facts[-1]
    assert "numbers" not in report.facts[-1]
    report = await bench.work.check(PLANNED, NodeConfig())
    assert report.facts[-1] == "would send 260 numbers"


def test_an_own_task_is_found_by_its_hash(home: Profile) -> None:
    plan = msgspec.structs.replace(PLAN, task=TaskSection(name="mine", sha256="ab" * 32))
    agreement = Agreement(plan, MANIFEST, b"h" * 32)
    config = NodeConfig(task=TaskTable(sha256="ab" * 32))
    found = task_ref(agreement, config, home.tasks)
    assert found.file == str(home.tasks / f"{'ab' * 32}.py")
    assert found.sha256 == "ab" * 32
    assert found.metric == plan.task.metric == "accuracy"
    shipped = TaskSection(name="digits", metric="auroc")
    agreement = Agreement(msgspec.structs.replace(PLAN, task=shipped), MANIFEST, b"h" * 32)
    assert task_ref(agreement, NodeConfig(), home.tasks) == jobs.TaskRef(
        name="digits", metric="auroc"
    )
    agreement = Agreement(plan, MANIFEST, b"h" * 32)
    with pytest.raises(Refused):
        task_ref(agreement, NodeConfig(), home.tasks)
    assert data_source(config).num_shards == 1


async def test_a_bug_of_ours_fails_the_job_at_once(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = FakeTrainer()
    trainer.idle.clear()
    bench = Bench(home, trainer)
    bench.work.train(machine.Train(1, 2, model_ref()), PLANNED, write_config(home))
    await settle()
    assert bench.heard == [machine.JobFailed(1, 2, "a bug in fedtui (RuntimeError)")]
    assert "the trainer does one job at a time" in capsys.readouterr().err


def prepare(number: int = 1) -> masking_steps.Prepare:
    layout = masking.encoding(MASKED_PLAN, MANIFEST.num_values, "update")
    scalars = dict.fromkeys(layout.scalars, 1.0)
    of = Masks((b"s" * 32,), (b"m" * 32,))
    noise = Noise(clip=2.0, sigma=0.1)
    return masking_steps.Prepare(
        number, 2, layout, of, scalars, 0.5, rounding_seed=b"r" * 32, noise=noise
    )


async def test_a_mask_job_holds_the_seeds_and_the_vector_belongs_to_the_update(
    home: Profile,
) -> None:
    bench = Bench(home, FakeTrainer())
    updates = Updates(home.work)
    updates.path.write_bytes(UPDATE)
    bench.work.mask(prepare())
    await settle()
    (job,) = bench.trainer.done
    assert isinstance(job, jobs.MaskJob)
    assert (job.plus, job.minus, job.weight) == ((b"s" * 32,), (b"m" * 32,), 0.5)
    assert job.rounding_seed == b"r" * 32
    assert job.noise == Noise(clip=2.0, sigma=0.1)
    (event,) = bench.heard
    assert isinstance(event, masking_steps.Prepared)
    assert (event.round, event.attempt) == (1, 2)
    assert event.num_bytes == prepare().encoding.num_bytes == updates.masked.stat().st_size
    assert event.digest == digest_of(updates.masked.read_bytes())
    updates.drop()
    assert list(home.work.iterdir()) == []


async def test_a_vector_is_never_reused(home: Profile) -> None:
    bench = Bench(home, FakeTrainer(failure="no"))
    updates = Updates(home.work)
    updates.masked.write_bytes(b"of an earlier attempt")
    bench.work.mask(prepare())
    await settle()
    assert [type(event) for event in bench.heard] == [machine.JobFailed]
    assert not updates.masked.exists()


async def test_only_masking_stops_with_the_update(home: Profile) -> None:
    trainer = FakeTrainer(hold=asyncio.Event())
    bench = Bench(home, trainer)
    bench.work.train(machine.Train(1, 1, model_ref()), PLANNED, write_config(home))
    await settle()
    bench.work.stop_masking()
    assert trainer.num_cancelled == 0
    trainer.hold.set()
    await settle()
    trainer.hold.clear()
    bench.work.mask(prepare())
    await settle()
    bench.work.stop_masking()
    await settle()
    assert trainer.num_cancelled == 1
    assert [type(event) for event in bench.heard] == [machine.Trained]


@pytest.mark.parametrize(("metric", "fits"), [("accuracy", True), ("loss", False)])
async def test_sums_that_have_no_place_in_a_masked_vector_fail_the_job(
    home: Profile, metric: str, fits: bool
) -> None:
    bench = Bench(home, FakeTrainer())
    task = TaskSection(name="digits", metric=metric)
    plan = msgspec.structs.replace(MASKED_PLAN, task=task)
    agreement = Agreement(plan, MANIFEST, b"h" * 32)
    bench.work.measure(machine.Measure(3, model_ref()), agreement, NodeConfig())
    await settle()
    (event,) = bench.heard
    assert isinstance(event, machine.Measured if fits else machine.JobFailed)
