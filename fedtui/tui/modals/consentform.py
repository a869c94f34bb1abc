"""The consent form, computed from the plan: item by item what leaves, in which form, for whom.

`cards` and `table` draw it for narrow and wide places, `as_text` writes it to keep. All pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui.modals.base import Words, lines

if TYPE_CHECKING:
    from fedtui.status import Leaves, PlanSummary

HEADS = ("item", "form", "who can read it", "how often", "you can", "source")
SHARES = (22, 22, 22, 13, 14, 7)
WIDE = 84
NOT_SAID = "-"


def row_of(one: Leaves) -> tuple[str, ...]:
    """The cells, in the order of HEADS."""
    return (one.item, one.form, one.reader, one.when, one.can or NOT_SAID, one.source)


def table(leaves: tuple[Leaves, ...], width: int) -> Content:
    """Six columns, wrapped; for `width` cells, WIDE or more."""
    room = width - 2 * (len(HEADS) - 1)
    widths = [max(6, room * share // sum(SHARES)) for share in SHARES]
    made = _table_row(HEADS, widths, "$quiet")
    for one in leaves:
        made += _table_row(row_of(one), widths, "")
    return Content("\n").join(made)


def _table_row(cells: tuple[str, ...], widths: list[int], style: str) -> list[Content]:
    pairs = zip(cells, widths, strict=True)
    columns = [Content.styled(cell, style).wrap(width) for cell, width in pairs]
    if not style:  # the item is what the eye looks for
        columns[0] = [line.stylize("bold") for line in columns[0]]
    height = max(len(column) for column in columns)
    made = []
    for index in range(height):
        parts = []
        for column, width in zip(columns, widths, strict=True):
            cell = (column[index] if index < len(column) else Content()).rstrip()
            parts.append(cell.pad_right(max(0, width - cell.cell_length)))
        made.append(Content("  ").join(parts).rstrip())
    return made


def cards(leaves: tuple[Leaves, ...]) -> Content:
    """One item below the other, its name first."""
    made = []
    for one in leaves:
        can = f", you can {one.can}" if one.can else ""
        made.append(
            lines(
                (one.item, "bold"),
                f"  {one.form}; read by {one.reader}",
                (f"  {one.when}{can}; says {one.source}", "$quiet"),
            )
        )
    return Content("\n").join(made)


def never(plan: PlanSummary) -> Content:
    """What stays, and the worst case."""
    parts: list[str | tuple[str, str]] = [("NEVER: ", "bold $verified"), plan.stays or NOT_SAID]
    if plan.worst:
        parts += ["\n", ("Worst case: ", "bold $unverified"), plan.worst]
    return Content.assemble(*parts)


def changes(plan: PlanSummary, mark: str) -> Content:
    """What differs from the plan that was agreed to; empty if nothing does."""
    if not plan.differs:
        return Content()
    return lines(
        ("Changed since you agreed:", "bold $alarm"),
        *(f"{mark} {one}" for one in plan.differs),
    )


def facts(plan: PlanSummary) -> Content:
    """The whole plan, for those who want to read all of it."""
    pairs = (
        ("federation", plan.federation),
        ("task", plan.task),
        ("model", plan.model),
        ("training", plan.training),
        ("strategy", plan.strategy),
        ("rounds", str(plan.max_rounds) if plan.max_rounds else ""),
        ("measured by", plan.metric),
        ("until it is", "" if plan.target is None else f"{plan.target:g}"),
        ("needs", plan.needs),
        ("privacy", plan.privacy),
        ("plan hash", plan.plan_hash),
        ("form hash", plan.form_hash),
    )
    made = []
    for name, value in pairs:
        if value:
            made.append(Content.assemble((f"{name:<12}", "$quiet"), value))
    return Content("\n").join(made)


def as_text(plan: PlanSummary) -> str:
    """All of it as plain text, to keep or to print."""
    parts = [f"What leaves this machine in {plan.federation}", ""]
    for one in plan.leaves:
        pairs = zip(HEADS, row_of(one), strict=True)
        parts += [f"{name + ':':<17}{value}" for name, value in pairs]
        parts.append("")
    parts += [never(plan).plain, ""]
    if plan.differs:
        parts += [changes(plan, "-").plain, ""]
    return "\n".join([*parts, facts(plan).plain, ""])


class Form(Words):
    """The form of one plan, as a table where there is room."""

    def __init__(self) -> None:
        super().__init__(id="form")
        self._plan: PlanSummary | None = None

    def of(self, plan: PlanSummary) -> None:
        """Show the form of this plan."""
        self._plan = plan
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._plan is None or not self.size.width:
            return
        leaves, width = self._plan.leaves, self.size.width
        items = table(leaves, width) if width >= WIDE else cards(leaves)
        self.show(Content("\n").join([items, never(self._plan)]))
