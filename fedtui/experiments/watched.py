"""Records what a node of a run does while it runs, for `watch`: node-N.recording in its folder.

A line per change, in the format of every node's recording. It must not slow the run down: lines
are written as long as they cost a hundredth of the time that passes, and what could not be written
comes with the next line. When a run goes on where it stopped, its beginning is told again, and so
the recording begins anew.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from fedtui.control.recording import Recorder
from fedtui.errors import ExitCode, OperatorError
from fedtui.experiments.disk import write_all, writing
from fedtui.simulation.onlooker import Onlooker
from fedtui.simulation.village import Village
from fedtui.status import NodeStatus

MAX_BYTES = 64 * 2**20
_SHARE = 0.01
_SAVED_S = 0.05  # what may be spent at once after a while of nothing


class NoSuchNodeError(OperatorError):
    """A node is to be watched that is not there."""

    exit_code = ExitCode.USAGE


def check(node: int, num_nodes: int) -> None:
    """Raise NoSuchNodeError unless there is a participant with this index."""
    if node >= num_nodes:
        raise NoSuchNodeError(
            f"--watch-node is {node}, and the population has nodes 0 to {num_nodes - 1}"
        )


def recording_of(folder: Path, node: int) -> Path:
    """Where the recording of this node lies."""
    return folder / f"node-{node}.recording"


@contextlib.contextmanager
def recorded(
    village: Village, folder: Path, node: int, say: Callable[[str], None]
) -> Iterator[None]:
    """Record this node (counted from 0) while the run is under way.

    A disk that fills up ends the recording and not the run; `say` hears of it. Raises DiskError
    if it cannot be begun.
    """
    path = recording_of(folder, node)
    host = list(village.nodes.values())[node]
    with writing(path):
        for old in folder.glob("node-*.recording"):
            old.unlink()
        opened = path.open("xb", buffering=0)
    with opened as file:
        writer = _Writer(file, path, say)
        onlooker = Onlooker(village, host, writer.note)
        try:
            yield
        finally:
            onlooker.close()
            writer.close()


class _Writer:
    """Writes the lines that there is time for."""

    def __init__(self, file: FileIO, path: Path, say: Callable[[str], None]) -> None:
        self._file = file
        self._path = path
        self._say = say
        self._recorder = Recorder()
        self._num_bytes = 0
        self._unwritten: tuple[NodeStatus, float] | None = None
        self._is_over = False
        self._spare_s = _SAVED_S
        self._seen_s = time.perf_counter()

    def note(self, status: NodeStatus, at: float) -> None:
        """The node is like this from now on."""
        self._unwritten = (status, at)
        now_s = time.perf_counter()
        self._spare_s = min(_SAVED_S, self._spare_s + (now_s - self._seen_s) * _SHARE)
        self._seen_s = now_s
        if self._spare_s > 0:
            self._write()
            self._spare_s -= time.perf_counter() - now_s

    def close(self) -> None:
        """What is known in the end is in the recording."""
        self._write()

    def _write(self) -> None:
        if self._unwritten is None or self._is_over:
            return
        (status, at), self._unwritten = self._unwritten, None
        line = self._recorder.line(status, at)
        self._num_bytes += len(line)
        if self._num_bytes > MAX_BYTES:
            self._end(f"has {MAX_BYTES >> 20} MiB and ends here; the run goes on")
            return
        try:
            write_all(self._file.fileno(), line)
        except OSError as error:
            self._end(f"ends here ({error.strerror or error}); the run goes on")

    def _end(self, why: str) -> None:
        self._is_over = True
        self._say(f"{self._path}: {why}")
