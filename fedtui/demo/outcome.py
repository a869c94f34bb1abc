"""What came of a demo: as JSON, as the last lines on a screen, and as its exit status. Pure."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from fedtui.demo.progress import duration, score_text
from fedtui.demo.settings import Settings
from fedtui.demo.watch import rows_of
from fedtui.errors import ExitCode
from fedtui.learning.metrics import reached


def outcome_of(
    settings: Settings, status: dict[str, Any], seconds: float, where: Path
) -> dict[str, Any]:
    """What `--json` prints. `reached` is None where the plan sets no target."""
    best, target = status["best"]["score"], status["target"]
    met = None
    if target is not None:
        met = best is not None and reached(status["metric"], best, target)
    return {
        "task": status["task"],
        "nodes": settings.nodes,
        "seed": settings.seed,
        "secure_aggregation": status["masked"],
        "reached": met,
        "target": target,
        "accuracy": best,
        "seconds": round(seconds, 2),
        "model": str(where / "model.safetensors"),
        "rounds": [asdict(row) for row in rows_of(status)],
    }


def exit_status(outcome: dict[str, Any]) -> ExitCode:
    """0 unless there was a target that was not reached."""
    return ExitCode.FAILED if outcome["reached"] is False else ExitCode.OK


def closing(status: dict[str, Any], outcome: dict[str, Any]) -> list[tuple[str, str]]:
    """The last lines, each with its style: what came of it, and who saw what."""
    best, metric, met = outcome["accuracy"], status["metric"], outcome["reached"]
    score = "nobody measured it" if best is None else f"{metric} {score_text(metric, best)}"
    num_rounds = len(outcome["rounds"])
    rounds = "1 round" if num_rounds == 1 else f"{num_rounds} rounds"
    verdict, style = {
        True: ("target reached", "bold green"),
        False: ("target NOT reached", "bold red"),
        None: ("no target was set", "bold"),
    }[met]
    lines = [(f"{verdict}: {score} after {rounds}, {duration(outcome['seconds'])} in all", style)]
    if not met:
        lines.append((f"why it ended: {status['ended']}", ""))
    lines.append((status["privacy"], ""))
    return lines
