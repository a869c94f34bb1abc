"""A comparison as people and programs read it: a text table, JSON, CSV."""

import csv
import io
from collections.abc import Callable, Sequence

import msgspec
from rich.console import Console
from rich.text import Text

from fedtui.experiments import drawing
from fedtui.experiments.compare import Comparison, Figures, Group, Spread

_GAP = "  "
_Row = list[str]


def rows(comparison: Comparison) -> tuple[_Row, list[_Row]]:
    """Header and a row per group; figures of several seeds as "mean (least..most)"."""
    header = ["run", "seeds", "rounds", f"final {comparison.metric}", "± sd", "best"]
    if comparison.target is not None:
        header += [f"reached {comparison.target:g}", "in round", "after", "sent until then"]
    header += ["virtual time", "sent up", "sent down", "wall time"]
    return header, [_row(comparison, group) for group in comparison.groups]


def text(comparison: Comparison, width: int | None = None) -> str:
    """Aligned columns, a line each; numbers to the right.

    Where they need more than `width` characters they go on below, beside the runs' names again.
    """
    header, body = rows(comparison)
    lines = [header, *body]
    widths = [max(len(line[n]) for line in lines) for n in range(len(header))]
    blocks = []
    for columns in _blocks(widths, width):
        of_block = [widths[n] for n in columns]
        blocks.append("\n".join(_aligned([line[n] for n in columns], of_block) for line in lines))
    return "\n\n".join(blocks)


def show(comparison: Comparison, console: Console) -> None:
    """As `text`: as wide as it is, and on a terminal as wide as that, headers in bold."""
    if not console.is_terminal:
        console.file.write(f"{text(comparison)}\n")
        return
    for block in text(comparison, console.width).split("\n\n"):
        header, *body = block.splitlines()
        console.print(Text(header, style="bold"), soft_wrap=True)
        console.print(Text("\n".join([*body, ""])), soft_wrap=True)


def as_json(comparison: Comparison) -> bytes:
    """One JSON object with all figures of all runs; numbers in seconds and bytes."""
    return msgspec.json.encode(comparison)


def as_csv(comparison: Comparison) -> str:
    """A line per run, with its group; numbers in seconds and bytes, empty where there is none."""
    sink = io.StringIO()
    plain = [name for name in Figures.__struct_fields__ if name != "target"]
    to_target = ["target_round", "target_virtual_s", "target_bytes"]
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["group", *plain, *to_target])
    for group in comparison.groups:
        for run in group.runs:
            found = run.target
            cost = [found.round, found.virtual_s, found.num_bytes] if found else [None] * 3
            writer.writerow([group.label, *(getattr(run, name) for name in plain), *cost])
    return sink.getvalue()


def _row(comparison: Comparison, group: Group) -> _Row:
    def cell(name: str, shown: Callable[[float], str]) -> str:
        return _cell(group.spreads.get(name), shown)

    final = group.spreads.get("final")
    deviation = f"{final.deviation:.4f}" if final and len(group.runs) > 1 else "-"
    seeds = ", ".join(map(str, group.seeds[:5])) + (", …" if len(group.seeds) > 5 else "")
    found = [group.label, seeds, cell("num_rounds", "{:g}".format)]
    found += [cell("final", "{:.4f}".format), deviation, cell("best", "{:.4f}".format)]
    if comparison.target is not None:
        found += [
            f"{group.num_reached} of {len(group.runs)}",
            cell("target_round", "{:.4g}".format),
            cell("target_virtual_s", duration),
            cell("target_num_bytes", size),
        ]
    means = [(name, group.spreads[name].mean) for name in ("virtual_s", "bytes_up", "bytes_down")]
    found += [duration(mean) if name == "virtual_s" else size(mean) for name, mean in means]
    return [*found, duration(group.spreads["wall_s"].mean)]


def _cell(found: Spread | None, shown: Callable[[float], str]) -> str:
    """Such as 6:19 (6:15..6:28) min: the unit once, where all three share it."""
    if found is None:
        return "-"
    mean, least, most = shown(found.mean), shown(found.least), shown(found.most)
    if found.least == found.most:
        return mean
    number, _, unit = mean.partition(" ")
    if unit and least.endswith(f" {unit}") and most.endswith(f" {unit}"):
        low, high = least.removesuffix(unit).strip(), most.removesuffix(unit).strip()
        return f"{number} ({low}..{high}) {unit}"
    return f"{mean} ({least}..{most})"


def size(num_bytes: float) -> str:
    """1.5 MB: powers of a thousand."""
    unit = drawing.byte_unit(num_bytes)
    return f"{num_bytes / unit.divisor:.3g} {unit.name}"


def duration(seconds: float) -> str:
    """0.21 s, 12 s, 3:05 min, 2:10 h; days from 100 hours on."""
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}:{minutes:02d} h" if hours < 100 else f"{seconds / 86_400:.3g} days"


def _blocks(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """Which columns stand beside each other: the first, and as many others as have room."""
    blocks: list[list[int]] = [[0]]
    used = widths[0]
    for number, needed in list(enumerate(widths))[1:]:
        if width is not None and len(blocks[-1]) > 1 and used + len(_GAP) + needed > width:
            blocks.append([0])
            used = widths[0]
        blocks[-1].append(number)
        used += len(_GAP) + needed
    return blocks


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(line, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return _GAP.join(cells).rstrip()
