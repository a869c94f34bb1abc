import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fedtui.experiments import sweep as sweeping
from fedtui.experiments.compare import load
from fedtui.experiments.disk import RunFolderError
from fedtui.experiments.sweepfile import Cell, Sweep

# Stands for a run: one round with the seed's score; seed 13 crashes, seed 7 waits for Ctrl-C.
FAKE = """
import os, signal, sys, time
from pathlib import Path
import msgspec
from fedtui.experiments.folder import RunFolder, RunInfo
from fedtui.experiments.journal import Journal, RoundClosed
from fedtui.simulation.report import RoundReport
plan, out, options = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
seed = int(plan.read_text().splitlines()[0].removeprefix("seed = "))
info = RunInfo(seed=seed, engine="serial", started_s=1.0, plain="--plain" in options,
               command=[os.environ["OMP_NUM_THREADS"]])
with RunFolder.create(out, plan.read_text(), info).held() as folder:
    if seed == 13:
        print("fedtui-simulate: the data is gone", file=sys.stderr)
        sys.exit(66)
    if seed == 7 and not (out / "was here").exists():
        try:
            (out / "was here").touch()
            signal.pause()
        except KeyboardInterrupt:
            folder.keep(msgspec.structs.replace(folder.info, state="stopped"))
            sys.exit(130)
    journal = Journal(folder.journal)
    journal.append([RoundClosed(nodes=[], report=RoundReport(
        round=1, attempt=1, metric="accuracy", score=seed / 100, loss=None, num_present=2,
        num_invited=2, num_counted=2, num_examples=2, seconds=1.0, ended_s=1.0, bytes_up=1,
        bytes_down=1, wall_s=0.1, model=""))])
    journal.close()
    folder.keep(msgspec.structs.replace(folder.info, state="finished"))
"""


def fake(plan: Path, out: Path, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", FAKE, str(plan), str(out), *options]


def a_sweep(*seeds: int, plain: bool = False) -> Sweep:
    cells = [Cell(f"seed={n}", f'seed = {n}\n[federation]\nname = "x"\n') for n in seeds]
    return Sweep(cells, jobs=2, plain=plain)


def test_all_run_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    said: list[str] = []
    done = asyncio.run(
        sweeping.run(a_sweep(1, 13, 3, plain=True), tmp_path, said.append, call=fake)
    )
    assert done.finished == ["seed=1", "seed=3"]
    assert done.failed == {"seed=13": "the data is gone"}
    assert any("seed=13: failed: the data is gone" in line for line in said)
    assert done.comparison is not None
    (group,) = done.comparison.groups
    assert group.seeds == [1, 3]
    assert group.spreads["final"].mean == pytest.approx(0.02)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"comparison.csv", "comparison.png", "comparison.svg"} <= names
    one = load(tmp_path / "runs" / "seed=1").info
    assert (one.plain, one.command) == (True, ["1"]), "each run has one thread, and --plain"


def test_what_is_finished_is_not_run_again(tmp_path: Path) -> None:
    asyncio.run(sweeping.run(a_sweep(1), tmp_path, print, call=fake))
    before = (tmp_path / "runs" / "seed=1" / "run.json").stat().st_mtime_ns
    called: list[Path] = []

    def noting(plan: Path, out: Path, options: Sequence[str]) -> list[str]:
        called.append(out)
        return fake(plan, out, options)

    done = asyncio.run(sweeping.run(a_sweep(1, 2), tmp_path, print, call=noting))
    assert [path.name for path in called] == ["seed=2"]
    assert done.finished == ["seed=1", "seed=2"]
    assert (tmp_path / "runs" / "seed=1" / "run.json").stat().st_mtime_ns == before


def test_runs_of_another_sweep_are_left_alone(tmp_path: Path) -> None:
    asyncio.run(sweeping.run(a_sweep(1), tmp_path, print, call=fake))
    for other in (Sweep([Cell("seed=1", "seed = 1\n")], 1), a_sweep(1, plain=True)):
        with pytest.raises(RunFolderError, match="give another --out"):
            asyncio.run(sweeping.run(other, tmp_path, print, call=fake))


def test_ctrl_c_lets_those_that_run_stop_and_begins_no_other(tmp_path: Path) -> None:
    async def interrupted() -> sweeping.Swept:
        running = asyncio.create_task(
            sweeping.run(a_sweep(1, 7, 2), tmp_path, said.append, call=fake)
        )
        while not (tmp_path / "runs" / "seed=7" / "was here").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        return await running

    said: list[str] = []
    done = asyncio.run(interrupted())
    assert "seed=7" in done.stopped
    assert done.failed == {}
    assert sorted(done.finished + done.stopped) == ["seed=1", "seed=2", "seed=7"]
    assert load(tmp_path / "runs" / "seed=7").info.state == "stopped"
    assert any("stopping" in line for line in said)

    again = asyncio.run(sweeping.run(a_sweep(1, 7, 2), tmp_path, print, call=fake))
    assert again.finished == ["seed=1", "seed=7", "seed=2"]


def test_a_cell_is_run_by_the_command_that_people_type() -> None:
    call = sweeping.command(Path("p.toml"), Path("out"), ["--plain"])
    assert call[1:] == [
        "-m",
        "fedtui.experiments.main",
        "run",
        "p.toml",
        "--out",
        "out",
        "--plain",
    ]
