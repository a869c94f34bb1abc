"""How a run tells how it is getting on: a bar on a terminal, lines elsewhere, or JSON lines."""

from pathlib import Path
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fedtui.experiments.folder import RunInfo
from fedtui.experiments.planfile import PlanFile
from fedtui.experiments.running import Show
from fedtui.simulation.report import RoundReport
from fedtui.wire.labels import safe_label


def show_for(stream: TextIO, *, as_json: bool) -> Show:
    """What fits this output: `--json`, a terminal, or anything else."""
    if as_json:
        return JsonLines(stream)
    return Bar(Console(file=stream)) if stream.isatty() else Lines(stream)


class Lines:
    """A line per event, for pipes and logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def begins(self, plan: PlanFile, folder: Path, *, again: int) -> None:
        self.say(begun(plan, folder, again))

    def round(self, report: RoundReport) -> None:
        self.say(sentence(report))

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:
        self.say(failure(node, number, reason, kept))

    def ends(self, info: RunInfo, folder: Path) -> None:
        for line in ended(info, folder):
            self.say(line)


class Bar:
    """One bar with rounds, score and time left; what is lasting scrolls above it."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[score]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("rounds", start=True, total=None, score="")

    def say(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False)

    def begins(self, plan: PlanFile, folder: Path, *, again: int) -> None:
        self.say(begun(plan, folder, again))
        total = plan.plan.rounds.maximum
        self._bar.update(self._task, total=total, completed=again)
        self._bar.start()

    def round(self, report: RoundReport) -> None:
        self._bar.update(self._task, completed=report.round, score=figure(report))

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:
        self.say(failure(node, number, reason, kept))

    def ends(self, info: RunInfo, folder: Path) -> None:
        self._bar.stop()
        for line in ended(info, folder):
            self.say(line)


class JsonLines:
    """One JSON object a line: `{"event": ...}`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def _say(self, event: str, **fields: Any) -> None:
        line = msgspec.json.encode({"event": event, **fields}).decode()
        self._stream.write(line + "\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        self._say("note", text=text)

    def begins(self, plan: PlanFile, folder: Path, *, again: int) -> None:
        self._say(
            "begins",
            name=plan.plan.federation.name,
            nodes=plan.population.nodes,
            folder=str(folder),
            rounds_kept=again,
        )

    def round(self, report: RoundReport) -> None:
        self._say("round", **msgspec.structs.asdict(report))

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:
        kept_at = str(kept) if kept else None
        self._say("failed", node=node, round=number, reason=reason, traceback=kept_at)

    def ends(self, info: RunInfo, folder: Path) -> None:
        self._say("ends", folder=str(folder), **msgspec.structs.asdict(info))


# ---- sentences --------------------------------------------------------------------------------


def begun(plan: PlanFile, folder: Path, again: int) -> str:
    """What is about to be done."""
    name = safe_label(plan.plan.federation.name)
    text = f"{name}: {plan.population.nodes:,} nodes, task {plan.plan.task.name}, in {folder}"
    return text + (f"; goes on after round {again}" if again else "")


def sentence(report: RoundReport) -> str:
    """A finished round in one line."""
    undone = f"; rolled back: {report.rolled_back}" if report.rolled_back else ""
    return (
        f"round {report.round}: {figure(report)}, {report.num_counted} of {report.num_invited} "
        f"counted, at {virtual(report.ended_s)}, {megabytes(report.bytes_up)} up, "
        f"{megabytes(report.bytes_down)} down{undone}"
    )


def figure(report: RoundReport) -> str:
    """The score, or the loss where nobody measured."""
    if report.score is not None:
        return f"{report.metric} {report.score:.4f}"
    return f"loss {report.loss:.4f}" if report.loss is not None else "not measured"


def failure(node: int, number: int, reason: str, kept: Path | None) -> str:
    """A node that dropped because its task failed."""
    who = "the evaluator" if node < 0 else f"node {node}"
    where = f" (traceback: {kept})" if kept else ""
    return f"{who} dropped in round {number}: {safe_label(reason, 200)}{where}"


def ended(info: RunInfo, folder: Path) -> list[str]:
    """How it came out, and where everything lies."""
    lines = [
        f"{info.state}: {info.reason}",
        f"{info.num_rounds} rounds, {virtual(info.virtual_s)} of virtual time, "
        f"{info.wall_s:.1f} s of yours",
    ]
    if info.delta is not None:
        sure, real = (
            "without bound" if one is None else f"{one:.4g}"
            for one in (info.epsilon_guaranteed, info.epsilon_realised)
        )
        lines.append(f"epsilon {sure} guaranteed, {real} realised, at delta {info.delta:g}")
    if info.num_rounds:
        lines.append(f"results in {folder}: picture.svg, rounds.parquet, model.safetensors")
    return lines


def virtual(seconds: float) -> str:
    """A virtual time for people."""
    whole = int(seconds)
    if whole < 120:
        return f"{seconds:.1f} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


def megabytes(num_bytes: int) -> str:
    """Bytes for people: 1 MB is 10**6."""
    return f"{num_bytes / 1e6:.2f} MB" if num_bytes < 1e9 else f"{num_bytes / 1e9:.2f} GB"
