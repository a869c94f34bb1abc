"""A node of a run is followed while the run goes on, told again later, and commanded never."""

import asyncio
import fcntl
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from io import FileIO  # noqa: TC003
from pathlib import Path

import msgspec
import pytest

from fedtui.control.recording import Recorder, read
from fedtui.errors import OperatorError
from fedtui.experiments import following
from fedtui.experiments.disk import DamagedError, RunFolderError
from fedtui.experiments.folder import RunFolder
from fedtui.experiments.following import Following, is_running
from fedtui.simulation.onlooker import BEGINNING_S
from fedtui.status import LogLine, NodeControls, NodeStatus, Refused

MakeRun = Callable[..., Path]


def a_status(number: int) -> NodeStatus:
    line = LogLine(at=float(number), level="info", text=f"line {number}")
    return NodeStatus(seq=number, label="simulated 0", log=(line,))


class Writing:
    """Stands for the run's own process: holds the folder's lock, and writes line by line."""

    def __init__(self, run: Path) -> None:
        self.folder = RunFolder.open(run)
        self.path = run / "node-0.recording"
        self._lock = (run / "lock").open("rb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._file: FileIO | None = None
        self.begin()

    def begin(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)
        self._recorder, self._file = Recorder(), self.path.open("wb", buffering=0)

    def line(self, number: int, at: float | None = None) -> bytes:
        return self._recorder.line(a_status(number), BEGINNING_S + (number if at is None else at))

    def write(self, number: int) -> None:
        self._file.write(self.line(number))

    def raw(self, data: bytes) -> None:
        self._file.write(data)

    def end(self, state: str = "finished") -> None:
        info = msgspec.structs.replace(self.folder.info, state=state, reason="all done")
        self.folder.keep(info)
        self._lock.close()
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@pytest.fixture
def run(a_run: MakeRun) -> Path:
    return a_run("run", [0.5])


async def numbers(told: AsyncIterator[NodeStatus]) -> list[int]:
    return [status.seq async for status in told]


async def test_a_run_that_goes_on_is_followed_to_its_end(run: Path) -> None:
    writing = Writing(run)
    writing.write(1)
    ends: list[str] = []
    following = Following(run, 0, over=ends.append)
    seen: list[int] = []
    async for status in following.told():
        seen.append(status.seq)
        assert following.now() == BEGINNING_S + status.seq - 1
        if status.seq == 1:
            half = writing.line(2)
            writing.raw(half[:10])
            asyncio.get_running_loop().call_later(0.1, writing.raw, half[10:])
        elif status.seq == 2:
            writing.write(3)
            writing.end()
    assert seen == [1, 2, 3]
    assert ends == ["finished after 0 rounds: all done"]


async def test_a_recording_that_begins_anew_is_followed_anew(run: Path) -> None:
    writing = Writing(run)
    writing.write(7)
    seen: list[int] = []
    async for status in Following(run, 0).told():
        seen.append(status.seq)
        if status.seq == 7:
            writing.begin()
            writing.write(1)
        elif status.seq == 1:
            writing.end()
    assert seen == [7, 1]


async def test_a_killed_run_comes_to_an_end_too(run: Path) -> None:
    writing = Writing(run)
    writing.write(1)
    ends: list[str] = []
    seen: list[int] = []
    async for status in Following(run, 0, over=ends.append).told():
        seen.append(status.seq)
        writing.write(2)
        writing.end(state="running")
        break
    assert not is_running(run)
    assert await numbers(Following(run, 0, speed=1e9, over=ends.append).told()) == [1, 2]
    assert ends == ["killed after 0 rounds: all done"]


async def test_a_finished_run_is_told_whole_or_its_end_at_once(run: Path) -> None:
    writing = Writing(run)
    for number in range(1, 6):
        writing.write(number)
    writing.end()
    assert await numbers(Following(run, 0, speed=1e9).told()) == [1, 2, 3, 4, 5]
    assert await numbers(Following(run, 0, speed=0).told()) == [5]


async def test_a_recording_is_read_only_as_far_as_it_is_told(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = Writing(run)
    for number in range(1, 6):
        writing.write(number)
    writing.end()
    decoded: list[int] = []

    def counted(lines: Iterable[bytes]) -> Iterator[tuple[float, NodeStatus]]:
        for at_s, status in read(lines):
            decoded.append(status.seq)
            yield at_s, status

    monkeypatch.setattr(following, "read", counted)
    told = Following(run, 0, speed=1e9).told()
    await anext(told)
    assert len(decoded) == 1
    await anext(told)
    assert len(decoded) == 2


async def test_time_passes_at_the_speed_that_was_asked_for(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = Writing(run)
    for number in (1, 3, 7):
        writing.write(number)
    writing.end()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("fedtui.experiments.following.asyncio.sleep", sleep)
    await numbers(Following(run, 0, speed=2.0).told())
    assert [one for one in slept if one] == [1.0, 2.0]


async def test_what_is_shown_can_be_read_and_nothing_asked(run: Path) -> None:
    writing = Writing(run)
    writing.write(1)
    writing.end()
    following = Following(run, 0, speed=0)
    controls: NodeControls = following
    async for status in controls.watch():
        assert status == await controls.status() == a_status(1)
        break
    assert await controls.log() == a_status(1).log
    assert await controls.ledger() == await controls.history() == ()
    reading = {"status", "watch", "log", "ledger", "history"}
    asking = [name for name in vars(NodeControls) if name[0] != "_" and name not in reading]
    assert len(asking) >= 16
    for name in asking:
        command = getattr(controls, name)
        needed = [
            one
            for one in inspect.signature(command).parameters.values()
            if one.default is one.empty
        ]
        with pytest.raises(Refused, match="this is a simulated node"):
            await command(*(None for _ in needed))


async def test_a_damaged_recording_is_named_and_shown_as_an_end(run: Path) -> None:
    writing = Writing(run)
    writing.write(1)
    writing.raw(b"{nothing\n")
    writing.end()
    with pytest.raises(DamagedError, match=r"node-0\.recording: line 3"):
        await numbers(Following(run, 0, speed=1e9).told())
    ends: list[str] = []
    told = Following(run, 0, speed=1e9, over=ends.append).watch()
    with pytest.raises(TimeoutError):  # a screen stays open
        async with asyncio.timeout(0.2):
            await numbers(told)
    assert len(ends) == 1


def test_what_is_not_there_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such folder"):
        Following(tmp_path / "nowhere", 0)
    with pytest.raises(OperatorError, match=r"no node was recorded .* --watch-node 3"):
        Following(run, 3)
    Writing(run).end()
    with pytest.raises(OperatorError, match="node 3 was not recorded, but: 0; give --node 0"):
        Following(run, 3)
