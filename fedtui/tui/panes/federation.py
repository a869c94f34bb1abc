"""Federation: how good the model is (coord), how good it is on this node's hold-out (here)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui.lines import Piece
from fedtui.tui.panes import saying
from fedtui.tui.widgets import chart
from fedtui.tui.widgets.pane import Pane
from fedtui.tui.widgets.sparkline import spark
from fedtui.tui.wording import number

if TYPE_CHECKING:
    from fedtui.status import NodeStatus
    from fedtui.tui.view import View

HIGHER_IS_BETTER = frozenset({"accuracy", "r2", "balanced_accuracy", "macro_f1", "auroc"})


def best(status: NodeStatus) -> float | None:
    """The best score so far, by what is better for this metric."""
    values = [one.score for one in status.scores]
    if not values:
        return None
    return max(values) if status.scores[-1].metric in HIGHER_IS_BETTER else min(values)


def own(status: NodeStatus) -> float | None:
    """The newest that was measured here: of the model as trained here, else of the global one."""
    for one in reversed(status.own_scores):
        if one.after is not None or one.before is not None:
            return one.after if one.after is not None else one.before
    return None


def plot(view: View) -> chart.Plot:
    """Global scores by round as a line, those of the hold-out here as dots."""
    status = view.status
    rounds = [one.round for one in status.scores] + [one.round for one in status.own_scores]
    if not rounds:
        return chart.Plot()
    first, last = min(rounds), max(rounds)
    first = max(first, last - 1000)
    theirs = {one.round: one.score for one in status.scores}
    ours = {
        one.round: one.after if one.after is not None else one.before for one in status.own_scores
    }
    span = range(first, last + 1)
    values = [*theirs.values(), *(value for value in ours.values() if value is not None)]
    is_share = all(0 <= value <= 1 for value in values)
    return chart.Plot(
        series=(
            chart.Series(tuple(theirs.get(one) for one in span), "$global"),
            chart.Series(tuple(ours.get(one) for one in span), "$mine", is_dotted=True),
        ),
        left=f"round {first}",
        right=str(last),
        low=0.0 if is_share else None,
        high=1.0 if is_share else None,
    )


def head(view: View, width: int) -> Content:
    """The scores and this node's part in them, in one row."""
    status = view.status
    score = status.scores[-1].score if status.scores else None
    mine = own(status)
    counted = status.rounds_counted
    return saying.row(
        width,
        Piece(f"global {number(score)}", "$global"),
        Piece(f"best {number(best(status))}", rank=2),
        Piece(f"yours {number(mine)}" if mine is not None else "", "$mine", rank=1),
        Piece(f"you: {counted} round{'s' * (counted != 1)}", "$quiet", rank=3),
    )


class FederationPane(Pane):
    """Scores and curve; in few rows a sparkline."""

    TITLE = "Federation"
    OPENS = "scr.6"
    HELP: ClassVar[str] = (
        "The line is the global model as the coordinator reports it (coord); the dots are "
        "measured here, on your own hold-out, and told to nobody (here)."
    )

    def look(self, view: View, width: int, height: int) -> list[Content]:
        status = view.status
        if not status.scores and not status.own_scores:
            words = "no score yet" if status.plan else "in no federation"
            return [Content.styled(words, "$quiet")]
        if height < 4:
            values = [one.score for one in status.scores]
            line = spark(
                values,
                9,
                view.glyphs,
                low=min(values, default=0) * 0.9,
                high=max(values, default=1),
            )
            rest = head(view, max(1, width - len(line) - 1))
            return [saying.cut(Content.assemble((line, "$global"), " ", rest), width)]
        return [head(view, width), *chart.draw(plot(view), width, height - 1, view.glyphs)]


class ScoresPane(FederationPane):
    """The chart of the full screen."""

    OPENS = ""
    TITLE = "Model"

    def note(self, view: View, width: int) -> Content:
        wide = Content.assemble(
            ("── global (coord)", "$global"), "  ", ("·· your hold-out (here)", "$mine")
        )
        if view.glyphs.name == "ascii":
            wide = Content.assemble(("** global (coord)", "$global"), "  ", ("o  here", "$mine"))
        return wide if view.status.scores and wide.cell_length < width else Content()


class PartPane(Pane):
    """This node's part in it."""

    TITLE = "Your part"
    HELP: ClassVar[str] = "How many of your updates are in the model, and how far it got."

    def look(self, view: View, width: int, height: int) -> list[Content]:  # noqa: ARG002
        status = view.status
        if rows := saying.idle(view, width):
            return rows
        latest = status.scores[-1] if status.scores else None
        before = status.scores[-2] if len(status.scores) > 1 else None
        delta = f" ({latest.score - before.score:+.3f})" if latest and before else ""
        plan = status.plan
        target = plan.target if plan else None
        known: list[saying.Fact] = [
            ("counted", f"{status.rounds_counted} of your updates"),
            ("late", str(status.rounds_late), "$unverified" if status.rounds_late else ""),
            ("refused", str(status.rounds_refused), "$alarm" if status.rounds_refused else ""),
            (
                "global",
                f"{number(latest.score)}{delta} {latest.metric} (coord)" if latest else "-",
                "$global",
            ),
            ("best", number(best(status))),
            ("hold-out", f"{number(own(status))} (here)", "$mine"),
            ("target", number(target) if target is not None else ""),
            ("nodes", f"{latest.num_nodes} in the last score" if latest else ""),
            ("weight", "hidden by masks" if status.privacy.masked else ""),
            ("strategy", plan.strategy if plan else "", "$quiet"),
        ]
        return saying.facts(known, width)
