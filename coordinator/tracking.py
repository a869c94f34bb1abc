"""Tells trackers (TensorBoard, MLflow) of finished rounds, off the event loop and off the way.

They run in a child process (tracking_child.py). What it cannot take in time is dropped with a
warning, and when it dies, tracking is over: a round never waits for it and never fails by it.
"""

import asyncio
import contextlib
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from coordinator.chronicle import Chronicle
from coordinator.config import TrackingSection
from coordinator.tracking_child import Begin, Problem, Told
from fedtui.rounds import lateness
from fedtui.rounds.federation import Federation
from fedtui.rounds.records import Evaluated, Record, RoundFinished

log = structlog.get_logger(__name__)

CHILD = (sys.executable, "-m", "coordinator.tracking_child")
MAX_WAITING = 1000
END_S = 20.0
_LINE = 2**16


class Tracking:
    """The trackers of one life of a coordinator; does nothing if there are none."""

    def __init__(
        self,
        wanted: TrackingSection,
        root: Path,
        federation: Federation,
        chronicle: Chronicle,
        clock: Callable[[], float],
    ) -> None:
        """Nothing is started yet; `root` is the coordinator's directory."""
        self._wanted = wanted
        self._folder = root / wanted.folder
        self._federation = federation
        self._chronicle = chronicle
        self._clock = clock
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)
        self._running: asyncio.Task[None] | None = None
        self._finished: set[int] = set()
        self._told_bytes: set[int] = set()

    def start(self) -> None:
        """Start the child, if there is anything to track."""
        if not self._wanted.writers:
            return
        self._put(self._begin())
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let the child write what it has; it is ended if that takes long."""
        if self._running is None:
            return
        self._tell_bytes(self._chronicle.bytes_of_rounds())
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(None)
        await asyncio.wait({self._running}, timeout=END_S)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    def committed(self, records: Sequence[Record]) -> None:
        """These facts are durable, and the chronicle has heard of them."""
        if self._running is None or self._running.done():
            return
        for record in records:
            match record:
                case RoundFinished() if record.round:
                    self._finished.add(record.round)
                    self._tell(record.round, self._figures(record))
                case Evaluated():
                    self._tell(record.round, {"score": record.score})
                case _:
                    pass
        self._tell_bytes(self._chronicle.per_round)

    def _figures(self, record: RoundFinished) -> dict[str, float]:
        rounds = reversed(self._federation.rounds)
        counted = next(one for one in rounds if one.round == record.round)
        found = {
            "seconds": record.seconds,
            "participants": float(len(counted.survivors)),
            "dropped": float(len(lateness.dropped(self._federation.plan, counted))),
        }
        if record.sums.get("examples"):
            found["loss"] = record.sums.get("loss_sum", math.nan) / record.sums["examples"]
        return found

    def _tell_bytes(self, moved: dict[int, tuple[int, int]]) -> None:
        """Once for each finished round, when all that it moved is known."""
        for number in sorted(self._finished - self._told_bytes):
            if number in moved:
                bytes_up, bytes_down = moved[number]
                self._told_bytes.add(number)
                figures = {"bytes_up": float(bytes_up), "bytes_down": float(bytes_down)}
                self._tell(number, figures)

    def _tell(self, number: int, figures: dict[str, float]) -> None:
        known = {name: value for name, value in figures.items() if math.isfinite(value)}
        if known:
            self._put(Told(round=number, figures=known, at=self._clock()))

    def _put(self, line: Begin | Told) -> None:
        try:
            self._waiting.put_nowait(msgspec.json.encode(line) + b"\n")
        except asyncio.QueueFull:
            log.warning("tracking falls behind", text="figures of a round are left out")

    def _begin(self) -> Begin:
        plan = self._federation.plan
        return Begin(
            writers=list(dict.fromkeys(self._wanted.writers)),
            folder=str(self._folder),
            uri=self._wanted.uri,
            name=plan.federation.name,
            about={
                "task": plan.task.name,
                "strategy": plan.strategy.name,
                "metric": plan.task.metric,
                "seed": str(plan.seed),
                "updates": plan.privacy.updates,
            },
        )

    async def _run(self) -> None:
        try:
            child = await asyncio.create_subprocess_exec(
                *CHILD,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the coordinator, which ends it in order
                limit=_LINE,
            )
        except OSError as error:
            log.warning("tracking is switched off", text=str(error))
            return
        try:
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(self._feed(child))
                await self._listen(child)
                feeding.cancel()
            if status := await child.wait():
                log.warning("tracking is switched off", text=f"it ended with status {status}")
        except* (OSError, ValueError) as errors:
            log.warning("tracking is switched off", text=str(errors.exceptions[0]))
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()

    async def _feed(self, child: asyncio.subprocess.Process) -> None:
        stdin = child.stdin
        if stdin is None:
            return
        with contextlib.suppress(ConnectionError):
            while (line := await self._waiting.get()) is not None:
                stdin.write(line)
                await stdin.drain()
        stdin.close()

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        """Log what it says until it ends."""
        if child.stdout is None:
            return
        async for line in child.stdout:
            try:
                problem = msgspec.json.decode(line, type=Problem)
            except msgspec.DecodeError:
                continue
            log.warning("a tracker is switched off", text=problem.text[:500])
