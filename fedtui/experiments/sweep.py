"""Runs every cell of a sweep, some at a time, each as a process of its own; then one table.

    OUT/plans/NAME.toml, OUT/logs/NAME.log, OUT/runs/NAME/    a cell
    OUT/comparison.csv, .png, .svg                            all that finished

A cell that is finished is not run again, one that was stopped goes on, one that fails is told and
stops no other. Ctrl-C asks the running ones to stop after what they are doing, as it would ask a
single run; a second one ends them at once.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedtui.experiments import compare, comparison, spread_picture
from fedtui.experiments.compare import Comparison
from fedtui.experiments.disk import RunFolderError, write_whole, writing
from fedtui.experiments.folder import RunFolder
from fedtui.experiments.sweepfile import Cell, Sweep

STOP_S = 30.0
_TAIL_BYTES = 4096
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Say = Callable[[str], None]
Command = Callable[[Path, Path, Sequence[str]], list[str]]


@dataclass(slots=True)
class Swept:
    """How it went: names of cells, and the last words of those that failed."""

    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    comparison: Comparison | None = None


def command(plan: Path, out: Path, options: Sequence[str]) -> list[str]:
    """What runs one cell."""
    run_it = [sys.executable, "-m", "fedtui.experiments.main", "run"]
    return [*run_it, str(plan), "--out", str(out), *options]


async def run(sweep: Sweep, out: Path, say: Say, *, call: Command = command) -> Swept:
    """Run what is not finished yet, and compare what is.

    Raises:
        RunFolderError: OUT holds runs of another sweep.
        DiskError: it cannot be written.
    """
    waiting = _prepare(sweep, out)
    swept = Swept(finished=[cell.name for cell in sweep.cells if cell not in waiting])
    if swept.finished:
        say(f"{len(swept.finished)} of {len(sweep.cells)} runs are finished already")
    async with _Workers(out, swept, say, len(sweep.cells)) as workers:
        options = [*sweep.options, *(["--plain"] if sweep.plain else [])]
        calls = {cell: call(_plan(out, cell), _folder(out, cell), options) for cell in waiting}
        await workers.run(calls, sweep.jobs)
    swept.finished = [cell.name for cell in sweep.cells if cell.name in set(swept.finished)]
    if swept.finished:
        swept.comparison = _compare(out, swept.finished)
    return swept


def _prepare(sweep: Sweep, out: Path) -> list[Cell]:
    """Write the plans; the cells that are not finished."""
    waiting = []
    for cell in sweep.cells:
        path = _folder(out, cell)
        if not (path / "run.json").is_file():
            waiting.append(cell)
            continue
        folder = RunFolder.open(path)
        if folder.plan_text() != cell.plan_text or folder.info.plain != sweep.plain:
            raise RunFolderError(
                f"{path}: is a run of another plan, or with other masks: give another --out"
            )
        if folder.info.state != "finished":
            waiting.append(cell)
    for name in ("plans", "logs", "runs"):
        with writing(out):
            (out / name).mkdir(parents=True, exist_ok=True)
    for cell in waiting:
        write_whole(_plan(out, cell), cell.plan_text.encode())
    return waiting


def _compare(out: Path, names: Sequence[str]) -> Comparison:
    runs = [compare.load(out / "runs" / name) for name in names]
    found = compare.compare(runs)
    write_whole(out / "comparison.csv", comparison.as_csv(found).encode())
    spread_picture.draw(runs, found.metric, found.target).write(out / "comparison.png")
    return found


def _plan(out: Path, cell: Cell) -> Path:
    return out / "plans" / f"{cell.name}.toml"


def _folder(out: Path, cell: Cell) -> Path:
    return out / "runs" / cell.name


class _Workers:
    """The processes of cells. While it is entered, Ctrl-C and SIGTERM stop them."""

    def __init__(self, out: Path, swept: Swept, say: Say, num_cells: int) -> None:
        self._out = out
        self._swept = swept
        self._say = say
        self._num_cells = num_cells
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = False

    async def __aenter__(self) -> "_Workers":
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
        self._signal(signal.SIGKILL)  # only after an error of ours is any left

    async def run(self, calls: dict[Cell, list[str]], jobs: int) -> None:
        queue = iter(calls.items())

        async def work() -> None:
            for cell, call in queue:
                if self._stopping:
                    self._swept.stopped.append(cell.name)
                else:
                    await self._one(cell, call)

        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(work())

    async def _one(self, cell: Cell, call: list[str]) -> None:
        log = self._out / "logs" / f"{cell.name}.log"
        with writing(log):
            sink = log.open("wb")
        with sink:
            process = await asyncio.create_subprocess_exec(
                *call,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=os.environ | _ONE_THREAD,
                start_new_session=True,  # so that Ctrl-C comes from here, once
            )
        self._running.add(process)
        if self._stopping:  # it was being started when Ctrl-C came
            process.send_signal(signal.SIGINT)
        try:
            status = await process.wait()
        finally:
            if process.returncode is not None:
                self._running.discard(process)
        self._ended(cell, status, log)

    def _ended(self, cell: Cell, status: int, log: Path) -> None:
        swept = self._swept
        if status == 0 and _is_finished(self._out / "runs" / cell.name):
            swept.finished.append(cell.name)
            self._say(f"[{len(swept.finished)}/{self._num_cells}] {cell.name}: finished")
        elif self._stopping:
            swept.stopped.append(cell.name)
        else:
            words = _last_line(log) or f"ended with status {status}"
            swept.failed[cell.name] = words
            self._say(f"{cell.name}: failed: {words} (all of it: {log})")

    def _stop(self) -> None:
        if self._stopping:
            self._signal(signal.SIGKILL)
            return
        self._stopping = True
        self._say(
            "stopping: waiting for what runs to stop after its round (Ctrl-C again: at once)"
        )
        self._signal(signal.SIGINT)
        asyncio.get_running_loop().call_later(STOP_S, self._signal, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


def _is_finished(path: Path) -> bool:
    return (path / "run.json").is_file() and RunFolder.open(path).info.state == "finished"


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last.removeprefix("fedtui-simulate: ")[:300]
