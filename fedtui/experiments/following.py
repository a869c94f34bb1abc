"""Following: the controls of a simulated node, told from its recording; also while that grows.

A run that goes on is followed as it goes; one that is over is told again in its own time, or its
end is shown at once. Nothing can be asked of a simulated node.
"""

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from fedtui.control.recording import RecordingError, read
from fedtui.control.viewonly import ViewOnly
from fedtui.errors import ExitCode, OperatorError
from fedtui.experiments.disk import DamagedError, RunFolderError
from fedtui.experiments.folder import RunFolder, RunInfo
from fedtui.experiments.watched import recording_of
from fedtui.simulation.onlooker import BEGINNING_S
from fedtui.status import NodeStatus, Refused
from fedtui.wire.labels import safe_label

POLL_S = 0.2
_LOOK_EVERY = 10  # polls without news, until it is looked whether the run still goes on
_WHOLE_RUN_S = 60.0
"""How long a finished run is shown unless a speed is asked for."""


class Following(ViewOnly):
    """Implements fedtui.status.NodeControls for one node of the run in `folder`.

    `speed` is virtual seconds a second; 0 shows the newest at once; None: a run that goes on is
    followed as it goes, one that is over takes a minute. `over` is told how it ended.
    """

    def __init__(
        self,
        folder: Path,
        node: int,
        *,
        speed: float | None = None,
        over: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises RunFolderError: there is no such run, or this node of it is not recorded."""
        super().__init__(
            Refused(
                "this is a simulated node: it does what its run's plan and population say",
                remedy="watch it, or change plan.toml and simulate again",
                exit_code=int(ExitCode.USAGE),
            )
        )
        self._folder = folder
        self._path = recording_of(folder, node)
        self._speed = speed
        self._over = over
        self._at_s = 0.0
        RunFolder.open(folder)
        if not self._path.exists():
            raise RunFolderError(_not_recorded(folder, node))

    def now(self) -> float:
        """The virtual time of what is shown, as UTC seconds."""
        return BEGINNING_S + self._at_s

    async def watch(self) -> AsyncIterator[NodeStatus]:
        """Every status at its time, then nothing more; ends only if the app does."""
        try:
            async for status in self.told():
                yield status
        except OperatorError as error:
            self._over(str(error))
        await asyncio.Event().wait()

    async def told(self) -> AsyncIterator[NodeStatus]:
        """The same, and an end when the run is over.

        Raises DamagedError, RunFolderError.
        """
        is_over = not is_running(self._folder)
        speed = self._pace(is_over=is_over)
        tail = _Tail(self._path)
        num_idle = 0
        try:
            while True:
                found = False
                for at_s, status in tail.more():
                    found = True
                    if speed:
                        await asyncio.sleep(max(0.0, at_s - self._at_s) / speed)
                    self._at_s, self._now = at_s, status
                    if speed:
                        yield status
                if found and not speed:
                    yield self._now
                num_idle = 0 if found else num_idle + 1
                if is_over and not found:
                    break
                if not is_over and num_idle >= _LOOK_EVERY:
                    num_idle = 0
                    is_over = not is_running(self._folder)
                    continue  # what was written last is still to be read
                if not found:
                    await asyncio.sleep(POLL_S)
        except RecordingError as error:
            raise DamagedError(f"{self._path}: {error}") from error
        finally:
            tail.close()
        self._over(_outcome(RunFolder.open(self._folder).info))

    def _pace(self, *, is_over: bool) -> float:
        """Virtual seconds a second; 0: at once."""
        if self._speed is not None:
            return self._speed
        length_s = RunFolder.open(self._folder).info.virtual_s
        return max(1.0, length_s / _WHOLE_RUN_S) if is_over else 0.0


class _Tail:
    """A recording as far as it is written; one that is begun anew is read anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._half = b""
        self._waiting: deque[bytes] = deque()
        self._open()

    def _open(self) -> None:
        self._file = self._path.open("rb")
        self._half = b""
        self._waiting.clear()
        self._num_lines = 0
        self._told = read(self._lines())

    def more(self) -> Iterator[tuple[float, NodeStatus]]:
        """What was written since, read as it is asked for. Raises RecordingError."""
        found = False
        while (line := self._line()) is not None:
            self._waiting.append(line)
            self._num_lines += 1
            if self._num_lines > 1:  # the first says what kind of recording it is
                found = True
                yield next(self._told)
        if not found and self._was_replaced():
            self._file.close()
            self._open()
            yield from self.more()

    def close(self) -> None:
        self._file.close()

    def _lines(self) -> Iterator[bytes]:
        while True:
            yield self._waiting.popleft()

    def _line(self) -> bytes | None:
        """A whole line, if there is one more."""
        self._half += self._file.readline()
        if not self._half.endswith(b"\n"):
            return None
        line, self._half = self._half, b""
        return line

    def _was_replaced(self) -> bool:
        try:
            now = self._path.stat()
        except OSError:
            return False
        return now.st_ino != os.fstat(self._file.fileno()).st_ino


def is_running(folder: Path) -> bool:
    """Whether a process works on this run. Raises RunFolderError."""
    if RunFolder.open(folder).info.state != "running":
        return False
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _outcome(info: RunInfo) -> str:
    state = "killed" if info.state == "running" else info.state
    reason = f": {safe_label(info.reason, 200)}" if info.reason else ""
    return f"{state} after {info.num_rounds} rounds{reason}"


def _not_recorded(folder: Path, node: int) -> str:
    there = sorted(folder.glob("node-*.recording"))
    if there:
        names = ", ".join(one.stem.removeprefix("node-") for one in there)
        return f"{folder}: node {node} was not recorded, but: {names}; give --node {names}"
    return (
        f"{folder}: no node was recorded (yet); 'fedtui-simulate run --watch-node {node}' records"
    )
