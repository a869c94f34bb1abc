"""Keeps a run while it runs: journal and models on disk, written beside the work.

A round that is closed goes to a thread of its own, which first appends to the journal, then
writes the models that are needed to go on, the newest last, then removes those that are not. While
it is still busy, rounds wait for it together: so long rounds are each on disk when the next is
done, and short ones are not slowed down. What the strategy kept with a model is written before it.
A run goes on from the newest round whose model and state are whole and those that the journal
names.

As the `Memory` of a village it answers, for all rounds up to that one, what came out before.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fedtui.experiments import keptstate
from fedtui.experiments.disk import write_whole
from fedtui.experiments.folder import RunFolder
from fedtui.experiments.held import OnDisk
from fedtui.experiments.journal import (
    Entry,
    JobDone,
    JobFailed,
    Journal,
    ModelMade,
    RoundClosed,
    SumFailed,
)
from fedtui.experiments.keptstate import StateError
from fedtui.learning.params import Manifest, Params, ParamsError, Vector
from fedtui.rounds.machine import Aggregate, Aggregated, AggregationFailed
from fedtui.simulation.jobs import Failed, Measured
from fedtui.simulation.memory import JobKey, Remembered
from fedtui.simulation.node_host import vector_digest
from fedtui.simulation.report import NodeReport, RoundReport
from fedtui.strategies.base import State
from fedtui.wire.messages import ModelRef

_NAME = re.compile(r"^(model|state)-(\d{6,8})\.safetensors$")

Kept = tuple[Vector, State]


@dataclass(slots=True)
class _Batch:
    """What waits to be written."""

    entries: list[Entry] = field(default_factory=list)
    models: dict[int, Kept] = field(default_factory=dict)


class Recorder:
    """The memory and the hand of one run. `until` is the newest round that is remembered."""

    def __init__(
        self, folder: RunFolder, manifest: Manifest, *, keeps: bool = False, stalest: int = 0
    ) -> None:
        """Read what is there; `keeps`: the run's strategy keeps vectors.

        `stalest`: updates of so many rounds ago may still count (rounds/lateness.py).

        Raises DamagedError, RunFolderError, DiskError.
        """
        self._folder = folder
        self._manifest = manifest
        self._keeps = keeps
        self._stalest = stalest
        self._jobs: dict[JobKey, Remembered | Measured | Failed] = {}
        self._sums: dict[tuple[int, int], Aggregated | AggregationFailed] = {}
        self._models: dict[bytes, Kept] = {}
        self._held: dict[int, Kept] = {}  # by round: what is needed to go on
        self._journal = Journal(folder.journal)
        self.until = self._remember()
        self.holding = OnDisk(folder.holding, self.until)
        self._new: list[Entry] = []
        self._batch = _Batch()
        self._busy = False
        self._ended = False
        self._error: Exception | None = None
        self._turn = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    # ---- remembering --------------------------------------------------------------------------

    def _remember(self) -> int:
        entries = self._journal.read()
        closed = {e.report.round: bytes.fromhex(e.report.model) for e in _closed(entries)}
        until = 0
        for number, path in sorted(_files(self._folder.path, "model").items(), reverse=True):
            if number not in closed:
                continue
            kept = self._whole(path, number, closed[number])
            if kept is None:
                path.unlink()
                continue
            self._models[closed[number]] = self._held[number] = kept
            until = max(until, number)
        if any(number > until for number in closed):
            entries = self._journal.read(upto=until)
        for entry in entries:
            self._take(entry)
        return until

    def _take(self, entry: Entry) -> None:
        match entry:
            case JobDone(kind=kind, node=node, round=number, attempt=attempt):
                key = JobKey(kind, node, number, attempt)
                if kind == "measure":
                    self._jobs[key] = Measured(entry.sums)
                else:
                    self._jobs[key] = Remembered(
                        entry.digest, entry.num_examples, entry.sums, entry.flaw
                    )
            case JobFailed(kind=kind, node=node, round=number, attempt=attempt, reason=reason):
                self._jobs[JobKey(kind, node, number, attempt)] = Failed(reason)
            case ModelMade(round=number, attempt=attempt):
                model = ModelRef(round=number, digest=entry.digest, num_bytes=entry.num_bytes)
                self._sums[number, attempt] = Aggregated(
                    number,
                    attempt,
                    model,
                    f"round-{number}",
                    entry.sums or None,
                    tuple(entry.liars),
                    entry.change_bytes,
                    groups=entry.groups,
                )
            case SumFailed(round=number, attempt=attempt, reason=reason):
                failed = AggregationFailed(number, attempt, reason, entry.groups)
                self._sums[number, attempt] = failed
            case RoundClosed():
                pass

    def job(self, key: JobKey) -> Remembered | Measured | Failed | None:
        if self._stalest and key.kind == "train" and not self.is_past(key.round + self._stalest):
            return None  # the update itself may be needed: it is made once more
        return self._jobs.get(key)

    def sum(self, effect: Aggregate) -> Aggregated | AggregationFailed | None:
        return self._sums.get((effect.round, effect.attempt))

    def model(self, digest: bytes) -> Vector | None:
        found = self._models.get(digest)
        return found and found[0]

    def state(self, digest: bytes) -> State | None:
        found = self._models.get(digest)
        return found and found[1]

    def is_past(self, number: int) -> bool:
        """Whether this round was closed in an earlier beginning."""
        return number <= self.until

    # ---- what happens -------------------------------------------------------------------------

    def job_done(self, key: JobKey, outcome: Remembered | Measured | Failed) -> None:
        self._new.append(_written(key, outcome))

    def sum_done(self, effect: Aggregate, answer: Aggregated | AggregationFailed) -> None:
        if self.is_past(effect.round):
            return
        if isinstance(answer, AggregationFailed):
            self._new.append(
                SumFailed(
                    round=answer.round,
                    attempt=answer.attempt,
                    reason=answer.reason,
                    groups=answer.groups,
                )
            )
            return
        self._new.append(
            ModelMade(
                round=answer.round,
                attempt=answer.attempt,
                digest=answer.model.digest,
                num_bytes=answer.model.num_bytes,
                sums=answer.sums or {},
                liars=list(answer.liars),
                change_bytes=answer.change_bytes,
                groups=answer.groups,
            )
        )

    def close_round(
        self,
        report: RoundReport,
        nodes: list[NodeReport],
        kept: Kept,
        needed: Iterable[int],
    ) -> None:
        """Have a finished round written, with its model and what the strategy kept.

        Of other rounds' models only those `needed` stay.

        Raises:
            DiskError: an earlier one could not be written.
        """
        if self.is_past(report.round):
            return
        self._new.append(RoundClosed(report=report, nodes=nodes))
        staying = {report.round, *needed}
        staying |= set(range(report.round - self._stalest, report.round))
        self._held[report.round] = kept
        self._held = {number: self._held[number] for number in self._held if number in staying}
        with self._turn:
            self._check()
            self._batch.entries += self._new
            self._batch.models = dict(self._held)
            self._turn.notify_all()
        self._new = []

    def finish(self) -> None:
        """Wait until all is written, and end. Raises DiskError."""
        with self._turn:
            self._ended = True
            self._turn.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._journal.close()
        self._check()

    def remove_models(self) -> None:
        """Of a run that came to its end: it is never gone on with."""
        self.holding.remove()
        for kind in ("model", "state"):
            for path in _files(self._folder.path, kind).values():
                path.unlink(missing_ok=True)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    # ---- writing, in a thread of its own ------------------------------------------------------

    def _write_all(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._ended or bool(self._batch.entries))
                batch, self._batch = self._batch, _Batch()
            if not batch.entries:
                return
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - it is raised where the run can hear it
                with self._turn:
                    self._error = error
                return

    def _write(self, batch: _Batch) -> None:
        self._journal.append(batch.entries)
        there = _files(self._folder.path, "model")
        for number in sorted(batch.models.keys() - there.keys()):
            vector_D, state = batch.models[number]
            if self._keeps:
                data = keptstate.to_bytes(state, vector_digest(vector_D))
                write_whole(_place(self._folder.path, "state", number), data)
            data = Params(self._manifest, vector_D).to_safetensors()
            write_whole(_place(self._folder.path, "model", number), data)
        for kind in ("model", "state"):
            for number, path in _files(self._folder.path, kind).items():
                if number not in batch.models:
                    path.unlink(missing_ok=True)
        self.holding.recorded(max(batch.models))

    def _whole(self, path: Path, number: int, digest: bytes) -> Kept | None:
        """The model of this round and what was kept with it, if they are those they should be."""
        try:
            vector_D = Params.from_safetensors(path.read_bytes(), self._manifest).vector_D
            state = State()
            if self._keeps:
                beside = _place(self._folder.path, "state", number).read_bytes()
                state = keptstate.from_bytes(beside, digest)
        except (OSError, ParamsError, StateError):
            return None
        return (vector_D, state) if vector_digest(vector_D) == digest else None


def _written(key: JobKey, outcome: Remembered | Measured | Failed) -> JobDone | JobFailed:
    if isinstance(outcome, Failed):
        return JobFailed(
            kind=key.kind,
            node=key.node,
            round=key.round,
            attempt=key.attempt,
            reason=outcome.reason,
        )
    digest, num_examples, flaw = b"", 0, ""
    if isinstance(outcome, Remembered):
        digest, num_examples, flaw = outcome.digest, outcome.num_examples, outcome.flaw
    return JobDone(
        kind=key.kind,
        node=key.node,
        round=key.round,
        attempt=key.attempt,
        digest=digest,
        num_examples=num_examples,
        sums=outcome.sums,
        flaw=flaw,
    )


def _closed(entries: Iterable[Entry]) -> Iterable[RoundClosed]:
    return (entry for entry in entries if isinstance(entry, RoundClosed))


def _place(folder: Path, kind: str, number: int) -> Path:
    return folder / f"{kind}-{number:06}.safetensors"


def _files(folder: Path, kind: str) -> dict[int, Path]:
    """The models or states in a run's folder by round; what a kill left half-written goes."""
    found = {}
    for path in folder.iterdir():
        if path.name.startswith(f"{kind}-") and path.name.endswith(".tmp"):
            path.unlink(missing_ok=True)
        if (named := _NAME.match(path.name)) and named.group(1) == kind:
            found[int(named.group(2))] = path
    return found
