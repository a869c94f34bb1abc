"""One run from beginning to end, or from where it stopped: plan, population, engine, folder."""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from fedtui import plugins
from fedtui.errors import OperatorError
from fedtui.experiments import engines, picture, planfile, tables, watched
from fedtui.experiments.disk import RunFolderError, write_whole
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.folder import RunFolder, RunInfo, State, versions
from fedtui.experiments.journal import closed_rounds
from fedtui.experiments.planfile import PlanFile
from fedtui.experiments.recorder import Recorder
from fedtui.experiments.trackers import Trackers, open_trackers
from fedtui.learning.data import DataError
from fedtui.learning.params import Manifest, Params, ParamsError
from fedtui.learning.sections import model_of, with_zeros
from fedtui.learning.task import FixedUpdate
from fedtui.privacy import accounting
from fedtui.privacy.accounting import AccountingError
from fedtui.rounds import compression, lateness, strategic
from fedtui.rounds.plan import Plan, plan_hash
from fedtui.rounds.spent import Spent
from fedtui.simulation.blame import blamed
from fedtui.simulation.engine import Engine, EngineError
from fedtui.simulation.ground import Ground, Setup, survey
from fedtui.simulation.jobs import Failed
from fedtui.simulation.memory import JobKey
from fedtui.simulation.population import traits
from fedtui.simulation.report import NodeReport, RoundReport
from fedtui.simulation.village import Listener, Village
from fedtui.status import Device
from fedtui.tomlfile import ConfigError

_SLICE_S = 3600.0  # virtual: how often one looks whether anything can still come of it
_INFO_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What `run` was asked for."""

    plan: Path
    out: Path
    engine: EngineChoice
    plain: bool = False
    threads: int = 1
    device: Device = "cpu"
    initial: Path | None = None
    task_file: Path | None = None
    fresh: bool = False
    watch_node: int = 0
    track: tuple[str, ...] = ()
    track_uri: str = ""
    command: tuple[str, ...] = ()


class Show(Protocol):
    """Where a run tells how it is getting on."""

    def say(self, text: str) -> None:
        """Something for people."""

    def begins(self, plan: PlanFile, folder: Path, *, again: int) -> None:
        """The run begins; `again` rounds are on disk already."""

    def round(self, report: RoundReport) -> None:
        """A round is finished."""

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:
        """A node's job failed; the node dropped, the run goes on."""

    def ends(self, info: RunInfo, folder: Path) -> None:
        """The run ended, as `info.state` and `info.reason` say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Everything that a run needs before its first round."""

    file: PlanFile
    setup: Setup
    ground: Ground
    first: Params

    @property
    def wide(self) -> Params:
        """The first model as it travels: with the vectors of its strategy."""
        return with_zeros(self.first, strategic.carried(self.setup.plan))


@dataclass(slots=True)
class _Run:
    """A run under way."""

    folder: RunFolder
    show: Show
    recorder: Recorder
    trackers: Trackers
    began_s: float = field(default_factory=time.perf_counter)
    kept_s: float = 0.0
    village: Village | None = None
    told: set[tuple[int, int]] = field(default_factory=set)

    def on_round(self, report: RoundReport, nodes: list[NodeReport]) -> None:
        village = self.village
        if village is None or self.recorder.is_past(report.round):
            return
        host = village.coordinator
        digest = host.machine.rounds[-1].model_digest
        model_D, state = host.models[digest], host.states.get(digest)
        if model_D is None or state is None:
            raise RunFolderError(
                f"{self.folder.path}: the model after round {report.round} is gone"
            )
        needed = host.machine.keep | village.hands.pending_rounds
        self.recorder.close_round(report, nodes, (model_D, state), needed)
        self.trackers.round(report, _utc())
        self.show.round(report)
        now_s = time.perf_counter()
        if now_s - self.kept_s > _INFO_EVERY_S:
            self.kept_s = now_s
            self.folder.keep(self.info("running", ""))

    def on_failure(self, key: JobKey, failed: Failed) -> None:
        if (key.node, key.round) in self.told:  # in an earlier attempt
            return
        self.told.add((key.node, key.round))
        kept = None
        if failed.traceback:
            who = "evaluator" if key.node < 0 else f"node-{key.node}"
            name = f"{who}-round-{key.round}-{key.kind}"
            kept = self.folder.keep_failure(name, failed.traceback)
        self.show.failed(key.node, key.round, failed.reason, kept)

    def info(self, state: State, reason: str) -> RunInfo:
        """run.json as it should be now."""
        before, village = self.folder.info, self.village
        took_s = time.perf_counter() - self.began_s
        self.began_s += took_s
        now = msgspec.structs.replace(
            before, state=state, reason=reason, wall_s=before.wall_s + took_s
        )
        if state != "running":
            now = msgspec.structs.replace(now, ended_s=_utc())
        if village is None or village.rounds_done < self.recorder.until:
            return now
        return msgspec.structs.replace(
            now,
            num_rounds=len(village.coordinator.machine.rounds) - 1,
            virtual_s=village.clock.now,
        )


def run(wishes: Wishes, show: Show) -> RunInfo:
    """Do the run, or what is left of it; how it ended. A finished run is shown again.

    Ctrl-C ends it as "stopped": all finished rounds are on disk.

    Raises:
        OperatorError: what was wrong with plan, data, folder, engine or disk.
    """
    tables.ready()
    stage = _set(wishes)
    plan = stage.setup.plan
    info = RunInfo(
        plan_hash=plan_hash(plan, stage.wide.manifest).hex(),
        data_hash=stage.ground.digest().hex(),
        seed=plan.seed,
        engine=wishes.engine.name,
        plain=wishes.plain,
        num_threads=wishes.threads,
        device=wishes.device,
        command=list(wishes.command),
        started_s=_utc(),
    )
    info = msgspec.structs.replace(info, **versions())
    trackers = open_trackers(wishes.track, wishes.out, show.say, uri=wishes.track_uri)
    created = RunFolder.create(wishes.out, stage.file.text, info, fresh=wishes.fresh)
    with created.held() as folder:
        _keep_first(folder, stage.first)
        plugins.keep_own(wishes.plan.parent / "plugins", folder.path / "plugins")
        if folder.info.state == "finished":
            show.ends(folder.info, folder.path)
            return folder.info
        keeps = bool(strategic.built(plan).kept)
        stalest = lateness.stalest(plan)
        recorder = Recorder(folder, stage.wide.manifest, keeps=keeps, stalest=stalest)
        going = _Run(folder, show, recorder, trackers)
        return _go(wishes, stage, going)


def _set(wishes: Wishes) -> _Stage:
    """Read plan, data and initial model. Raises OperatorError."""
    file = planfile.read(wishes.plan)
    watched.check(wishes.watch_node, file.population.nodes)
    setup = Setup(
        plan=planfile.plain(file.plan) if wishes.plain else file.plan,
        population=file.population,
        attacks={
            one.index: (one.attack, dict(one.attack_options))
            for one in traits(file.population, file.plan.seed)
            if one.attack
        },
        task_file=str(wishes.task_file or ""),
        num_threads=wishes.threads,
        device=wishes.device,
    )
    with blamed():
        ground = survey(setup)
        first = _first_model(wishes, setup)
    stage = _Stage(file=file, setup=setup, ground=ground, first=first)
    if why := compression.misfit_of(setup.plan, stage.wide.manifest):
        raise ConfigError(f"{wishes.plan}: {why}")
    return stage


def _go(wishes: Wishes, stage: _Stage, going: _Run) -> RunInfo:
    folder, show, trackers = going.folder, going.show, going.trackers
    setup, manifest = stage.setup, stage.wide.manifest
    show.begins(stage.file, folder.path, again=going.recorder.until)
    trackers.begin(folder.path.name, {"seed": str(setup.plan.seed), **versions()})
    try:
        state, reason = _work(going, wishes, stage)
    except OperatorError as error:
        with contextlib.suppress(OperatorError):  # the first error is the one to tell
            folder.keep(going.info("failed", str(error)))
        raise
    finally:
        trackers.end()
    _write_results(going, setup.plan, manifest)
    if state == "finished":
        going.recorder.remove_models()
    folder.keep(_accounted(going, setup.plan, going.info(state, reason)))
    show.ends(folder.info, folder.path)
    return folder.info


def _accounted(going: _Run, plan: Plan, info: RunInfo) -> RunInfo:
    """With what the node that spent most has spent under [dp]."""
    village = going.village
    if plan.dp is None or plan.dp.delta is None or village is None:
        return info
    spent = Spent(plan, village.coordinator.machine.rounds)
    try:
        found = accounting.epsilons_now(spent.most(), plan.dp.delta)
    except AccountingError as error:
        going.show.say(f"epsilon is not known: {error}")
        return info
    sure, real = (one if one < math.inf else None for one in found)
    return msgspec.structs.replace(
        info, delta=plan.dp.delta, epsilon_guaranteed=sure, epsilon_realised=real
    )


def _work(going: _Run, wishes: Wishes, stage: _Stage) -> tuple[State, str]:
    """Rounds until the end, an interrupt or an error; then all finished ones are on disk."""
    listener = Listener(going.on_round, going.on_failure, time.perf_counter)
    going.recorder.start()
    try:
        with _started(wishes.engine, stage) as engine:
            going.village = Village(
                stage.setup,
                stage.ground,
                stage.wide,
                engine,
                memory=going.recorder,
                listener=listener,
            )
            with watched.recorded(
                going.village, going.folder.path, wishes.watch_node, going.show.say
            ):
                return _until_the_end(going.village)
    except KeyboardInterrupt:
        return "stopped", "interrupted; run it again to go on"
    except MemoryError as error:
        raise EngineError(
            "there is not enough memory for this: take fewer workers or a smaller batch_size, "
            "and run it again: it goes on at the last finished round"
        ) from error
    finally:
        going.recorder.finish()


@contextlib.contextmanager
def _started(choice: EngineChoice, stage: _Stage) -> Iterator[Engine]:
    engine = engines.start(choice, stage.setup, stage.ground)
    try:
        yield engine
    finally:
        engine.close()


def _until_the_end(village: Village) -> tuple[State, str]:
    """State and reason."""
    while village.coordinator.ended is None:
        if why := village.why_stuck():
            return "failed", why
        village.run(seconds=_SLICE_S)
    return "finished", village.coordinator.ended


def _write_results(going: _Run, plan: Plan, manifest: Manifest) -> None:
    """Tables, picture, and the model that came out of it."""
    folder, village = going.folder, going.village
    closed = list(closed_rounds(folder.journal))
    reports = [one.report for one in closed]
    nodes = [node for one in closed for node in one.nodes]
    tables.write(folder.rounds, RoundReport, reports, versions())
    tables.write(folder.nodes, NodeReport, nodes, versions())
    picture.draw(reports, plan.federation.name, plan.rounds.target).write(folder.picture)
    if village is not None and village.rounds_done:
        digest = village.coordinator.machine.result.model_digest
        model_D = village.coordinator.models.get(digest)
        if model_D is not None:  # None: stopped while it was told again, and the file is there
            own = model_of(Params(manifest, model_D), strategic.carried(plan))
            write_whole(folder.model, own.to_safetensors())


def _first_model(wishes: Wishes, setup: Setup) -> Params:
    """The model to begin with: of the file that was named, else the task's own."""
    from fedtui.learning.trainer import initial  # noqa: PLC0415 - brings torch along

    task = setup.task()
    if not isinstance(task, FixedUpdate):
        from fedtui.learning.trainer import set_num_threads, use_device  # noqa: PLC0415

        set_num_threads(setup.num_threads)
        use_device(setup.device)  # said now if there is none, not by each job
    fresh = initial(task, seed=setup.plan.seed)  # type: ignore[arg-type]  # takes both kinds
    if wishes.initial is None:
        return fresh
    try:
        return Params.from_safetensors(wishes.initial.read_bytes(), fresh.manifest)
    except OSError as error:
        raise DataError(f"cannot read {wishes.initial}: {error.strerror}") from error
    except ParamsError as error:
        raise DataError(f"{wishes.initial}: {error}") from error


def _keep_first(folder: RunFolder, first: Params) -> None:
    """Write the initial model when the run begins. Raises RunFolderError if it was another."""
    data = first.to_safetensors()
    if not folder.initial.exists():
        write_whole(folder.initial, data)
    elif folder.initial.read_bytes() != data:
        raise RunFolderError(
            f"{folder.path}: holds a run with another initial model: give another --out, or "
            "--fresh to begin anew here"
        )


def _utc() -> float:
    return datetime.now(UTC).timestamp()
