"""A run's folder: what lies in it under which name, whose it is, and what made it.

    plan.toml            the text as it was given
    run.json             RunInfo: versions, seed, engine, how far it came
    initial.safetensors  the model before round 1
    model.safetensors    the model that came of it
    model-NNNNNN.safetensors  models that it goes on from, while it is not finished
    journal.msgpack      what each finished round took (journal.py)
    rounds.parquet, nodes.parquet, picture.png, picture.svg
    node-N.recording     what one node lived through (watched.py)
    failures/            tracebacks of tasks that crashed
    lock                 held by the one process that works on the run

A folder is one run: the same plan, seed and `plain` go on where it stopped, another needs another
folder.
"""

import fcntl
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec

from fedtui import __version__, plugins
from fedtui.experiments.disk import (
    DamagedError,
    RunFolderError,
    read_bounded,
    write_whole,
    writing,
)
from fedtui.status import Device
from fedtui.tomlfile import MAX_BYTES

State = Literal["running", "finished", "stopped", "failed"]
MAX_FAILURES = 200
MAX_FAILURE_BYTES = 2**16
_FILES = (
    "plan.toml",
    "run.json",
    "initial.safetensors",
    "model.safetensors",
    "journal.msgpack",
    "rounds.parquet",
    "nodes.parquet",
    "picture.png",
    "picture.svg",
)
_OF_ROUNDS = ("model-[0-9]*.safetensors", "state-[0-9]*.safetensors")
_PACKAGES = ("numpy", "torch")
_Text = Annotated[str, msgspec.Meta(max_length=65_536)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class RunInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """run.json. Times are UTC seconds; `virtual_s` is the simulated time, `wall_s` what it took.

    The epsilons are those of the node that spent most under [dp], as `delta` has them: guaranteed
    by the plan, and realised by those who were there; None without bound, and without [dp].

    A version that changed when the run went on reads as "2.10.0, then 2.11.0".
    """

    fedtui: _Text = __version__
    python: _Text = platform.python_version()
    numpy: _Text = ""
    torch: _Text = ""
    platform: _Text = ""
    plan_hash: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    data_hash: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    seed: _Count
    engine: _Text
    plain: bool = False
    num_threads: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 1
    device: Device = "cpu"
    command: Annotated[list[_Text], msgspec.Meta(max_length=1000)] = []
    started_s: _Seconds
    ended_s: _Seconds | None = None
    state: State = "running"
    reason: _Text = ""
    num_rounds: _Count = 0
    virtual_s: _Seconds = 0.0
    wall_s: _Seconds = 0.0
    delta: _Seconds | None = None
    epsilon_guaranteed: _Seconds | None = None
    epsilon_realised: _Seconds | None = None


def versions() -> dict[str, str]:
    """What RunInfo says of this installation, by its names. Imports none of them."""
    found = {"fedtui": __version__, "python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    return found | {"platform": f"{platform.system()} {platform.release()} {platform.machine()}"}


@dataclass(slots=True)
class RunFolder:
    """A run on disk. `create` to work on it, `open` to look at it."""

    path: Path
    info: RunInfo
    _lock: int | None = field(default=None, repr=False)

    @classmethod
    def create(cls, path: Path, plan_text: str, info: RunInfo, *, fresh: bool = False) -> Self:
        """Begin a run, or go on with the same one; this process holds it until `close`.

        `info` is what a new run begins with; of a run that goes on, `started_s`, `num_rounds`,
        `virtual_s` and `wall_s` are kept. A finished run is left as it is: see `info.state`.
        `fresh` removes what another run left here.

        Raises:
            RunFolderError: the folder holds something else, another run, or another process
                works on it.
            DiskError: it cannot be written.
        """
        if path.exists() and not path.is_dir():
            raise RunFolderError(
                f"{path}: is a file, and a run needs a folder: give another --out"
            )
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        others = _foreign(path)
        if others and not (path / "run.json").exists():
            raise RunFolderError(
                f"{path}: is no run's folder, it holds {', '.join(others[:3])}: choose another "
                "--out"
            )
        folder = cls(path, info, _locked(path / "lock", path))
        try:
            if fresh and (path / "run.json").exists():
                folder._clear()
            folder._begin(plan_text)
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Look at a run, also while a process works on it.

        Raises:
            RunFolderError: there is none.
            DamagedError: run.json is not what a run wrote.
        """
        if not (path / "run.json").is_file():
            what = "holds no run" if path.is_dir() else "there is no such folder"
            raise RunFolderError(f"{path}: {what}; 'fedtui-simulate run' makes one")
        return cls(path, _read_info(path / "run.json"))

    @property
    def plan(self) -> Path:
        return self.path / "plan.toml"

    @property
    def initial(self) -> Path:
        return self.path / "initial.safetensors"

    @property
    def model(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def journal(self) -> Path:
        return self.path / "journal.msgpack"

    @property
    def rounds(self) -> Path:
        return self.path / "rounds.parquet"

    @property
    def nodes(self) -> Path:
        return self.path / "nodes.parquet"

    @property
    def picture(self) -> Path:
        """The PNG; the SVG lies beside it."""
        return self.path / "picture.png"

    @property
    def holding(self) -> Path:
        return self.path / "held"

    @property
    def failures(self) -> Path:
        return self.path / "failures"

    def plan_text(self) -> str:
        """plan.toml. Raises RunFolderError, DamagedError."""
        return _text(self.plan)

    def keep(self, info: RunInfo) -> None:
        """Write run.json. Raises DiskError."""
        data = msgspec.json.format(msgspec.json.encode(info), indent=2)
        write_whole(self.path / "run.json", data + b"\n")
        self.info = info

    def keep_failure(self, name: str, traceback: str) -> Path | None:
        """The traceback of a task, as failures/NAME.txt; None beyond MAX_FAILURES of them.

        Raises:
            DiskError: it cannot be written.
        """
        with writing(self.failures):
            self.failures.mkdir(exist_ok=True)
            if sum(1 for _ in self.failures.iterdir()) >= MAX_FAILURES:
                return None
        path = self.failures / f"{name}.txt"
        write_whole(path, traceback.encode(errors="replace")[-MAX_FAILURE_BYTES:])
        return path

    def close(self) -> None:
        """Let another process work on it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def held(self) -> Iterator[Self]:
        """Close it in the end."""
        try:
            yield self
        finally:
            self.close()

    def _begin(self, plan_text: str) -> None:
        if not (self.path / "run.json").exists():
            if self.plan.exists() and self.plan_text() != plan_text:
                raise RunFolderError(
                    f"{self.plan}: is another plan, and of no run: choose another --out"
                )
            write_whole(self.plan, plan_text.encode())
            self.keep(self.info)
            return
        before = _read_info(self.path / "run.json")
        if differing := _differing(self.plan_text() == plan_text, before, self.info):
            raise RunFolderError(
                f"{self.path}: holds a run with another {' and another '.join(differing)}: give "
                "another --out, or --fresh to begin anew here"
            )
        if before.state == "finished":
            self.info = before
            return
        changed = {
            name: _joined(getattr(before, name), getattr(self.info, name)) for name in versions()
        }
        self.keep(
            msgspec.structs.replace(
                self.info,
                started_s=before.started_s,
                num_rounds=before.num_rounds,
                virtual_s=before.virtual_s,
                wall_s=before.wall_s,
                **changed,
            )
        )

    def _clear(self) -> None:
        """Remove what a run wrote, and nothing else; run.json last."""
        with writing(self.path):
            if self.failures.is_dir():
                for path in self.failures.glob("*.txt"):
                    path.unlink()
            shutil.rmtree(self.holding, ignore_errors=True)
            for pattern in (*_OF_ROUNDS, "node-*.recording", "*.tmp"):
                for path in self.path.glob(pattern):
                    path.unlink()
            for name in plugins.names("tracking"):
                shutil.rmtree(self.path / name, ignore_errors=True)
            for name in reversed(_FILES):
                if name != "run.json":
                    (self.path / name).unlink(missing_ok=True)
            (self.path / "run.json").unlink(missing_ok=True)


def _differing(same_plan: bool, before: RunInfo, now: RunInfo) -> list[str]:
    """What makes it another run: whatever changes the results, down to the last bit.

    Other versions of fedtui, numpy or torch may do so, too: run.json tells them all.
    """
    found = [] if same_plan else ["plan"]
    if before.seed != now.seed:
        found.append(f"seed ({before.seed}, now {now.seed})")
    if before.plain != now.plain:
        was = "with" if before.plain else "without"
        found.append(f"choice of masks (it was run {was} --plain)")
    if before.data_hash != now.data_hash:
        found.append("data set (other examples, or cut in another way)")
    if before.num_threads != now.num_threads:
        found.append(f"number of threads ({before.num_threads}, now {now.num_threads})")
    if before.device != now.device:
        found.append(f"device ({before.device}, now {now.device})")
    return found


def _joined(before: str, now: str) -> str:
    """A version that may have changed in between."""
    return before if before.rsplit(", then ", 1)[-1] == now else f"{before}, then {now}"


def _foreign(path: Path) -> list[str]:
    """What lies here that no run puts there."""
    ours = {*_FILES, *(f"{name}.tmp" for name in _FILES), "failures", "held", "lock"}
    with writing(path):
        return sorted(entry.name for entry in path.iterdir() if entry.name not in ours)


def _locked(lock: Path, run: Path) -> int:
    with writing(lock):
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise RunFolderError(
            f"{run}: another process works on this run; wait for it, or give another --out"
        ) from error
    return handle


def _read_info(path: Path) -> RunInfo:
    try:
        return msgspec.json.decode(read_bounded(path, MAX_BYTES), type=RunInfo)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedError(
            f"{path}: is not what a run wrote ({error}): give another --out, or --fresh to begin "
            "anew here"
        ) from error


def _text(path: Path) -> str:
    try:
        return read_bounded(path, MAX_BYTES).decode()
    except UnicodeDecodeError as error:
        raise DamagedError(f"{path}: is not UTF-8 text: no run wrote this") from error
