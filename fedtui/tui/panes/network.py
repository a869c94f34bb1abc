"""Network: what flows, how fast the coordinator answers, how much of the budget is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.lines import Piece
from fedtui.tui.panes import saying
from fedtui.tui.widgets.pane import Pane
from fedtui.tui.widgets.sparkline import bar, mirror, spark

if TYPE_CHECKING:
    from fedtui.status import PastRound
    from fedtui.tui.glyphs import Glyphs
    from fedtui.tui.view import View


def rate_row(view: View, width: int, *, is_up: bool) -> Content:
    """One direction: its sign, the last seconds as heights, the rate now."""
    traffic, glyphs = view.status.traffic, view.glyphs
    sign, style = (glyphs.up, "$mine") if is_up else (glyphs.down, "$global")
    rates = traffic.up_rates if is_up else traffic.down_rates
    text = wording.rate(traffic.up_per_s if is_up else traffic.down_per_s)
    room = width - 3 - len(text) - 1
    peak = max((*traffic.up_rates, *traffic.down_rates, 0))  # one scale for both
    line = spark(rates, min(room, 60), glyphs, high=peak)
    return saying.cut(Content.assemble((f"{sign} ", style), (line, style), f" {text}"), width)


def today(view: View, width: int) -> Content:
    """What went since midnight UTC, of the operator's budget if there is one."""
    traffic, glyphs = view.status.traffic, view.glyphs
    budget = view.status.limits.max_upload_mb_per_day
    used = traffic.up_today / 1e6 >= budget > 0
    of = f" of {budget:g}" if budget else ""
    return saying.row(
        width,
        Piece("today", "$quiet", rank=2),
        Piece(f"{glyphs.up} {wording.size(traffic.up_today)}{of}", "bold $alarm" if used else ""),
        Piece(f"{glyphs.down} {wording.size(traffic.down_today)}", rank=1),
    )


def trips(view: View, width: int) -> Content:
    traffic = view.status.traffic
    lost = f"{traffic.num_reconnects} reconnect{'s' * (traffic.num_reconnects != 1)}"
    return saying.row(
        width,
        f"RTT {wording.millis(traffic.round_trip_s)}",
        Piece(f"p99 {wording.millis(traffic.round_trip_p99_s)}", rank=1),
        Piece(lost, "$quiet", rank=2),
    )


def machine(view: View, width: int) -> Content:
    own = view.status.machine
    return saying.row(
        width,
        f"CPU {own.cpu_percent:.0f}%",
        Piece(f"on {own.device}", rank=2),
        Piece(f"power {own.power}" if own.power else "", rank=1),
    )


class NetworkPane(Pane):
    """All of it in five rows, the most telling first."""

    TITLE = "Network"
    OPENS = "scr.4"
    HELP: ClassVar[str] = (
        "Bytes on the wire of this node, the last seconds and since midnight UTC; round trips to "
        "the coordinator."
    )

    def title(self, view: View) -> Content:
        return Content(f"Network of {view.status.label}"[:40] if view.remote else "Network")

    def look(self, view: View, width: int, height: int) -> list[Content]:
        if view.status.plan is None:
            return [Content.styled("nothing flows: not in a federation", "$quiet")]
        rows = [
            rate_row(view, width, is_up=True),
            rate_row(view, width, is_up=False),
            trips(view, width),
            today(view, width),
            machine(view, width),
        ]
        return rows[:height]


class RatesPane(Pane):
    """The last seconds, up above and down below one line."""

    TITLE = "Rates"
    HELP: ClassVar[str] = "Bytes a second, newest at the right: up above the middle, down below."

    def look(self, view: View, width: int, height: int) -> list[Content]:
        traffic, glyphs = view.status.traffic, view.glyphs
        if view.status.plan is None:
            return saying.idle(view, width)
        peak = max((*traffic.up_rates, *traffic.down_rates, 0))
        head = saying.row(
            width,
            Piece(f"{glyphs.up} {wording.rate(traffic.up_per_s)}", "$mine"),
            Piece(f"{glyphs.down} {wording.rate(traffic.down_per_s)}", "$global"),
            Piece(f"highest {wording.rate(peak)}", "$quiet", rank=1),
            Piece(f"{len(traffic.up_rates)} s", "$quiet", rank=2),
        )
        graph = mirror(traffic.up_rates, traffic.down_rates, (width, height - 1), glyphs)
        return [head, *graph]


class LinkPane(Pane):
    """Round trips, reconnects, budget and caps."""

    TITLE = "Link and budget"
    HELP: ClassVar[str] = "How the link is, and how much of your limits is used. [t] changes them."

    def look(self, view: View, width: int, height: int) -> list[Content]:  # noqa: ARG002
        traffic, limits = view.status.traffic, view.status.limits
        away = view.status.offline_since > 0
        link = "not connected" if away else "encrypted" if view.status.plan else "none"
        p50, p99 = traffic.round_trip_p50_s, traffic.round_trip_p99_s
        cap = limits.max_upload_kb_per_s
        known: list[saying.Fact] = [
            ("link", link, "$alarm" if away else ""),
            ("round trip", wording.millis(traffic.round_trip_s)),
            ("p50 / p99", f"{wording.millis(p50)} / {wording.millis(p99)}"),
            ("jitter", wording.millis(traffic.jitter_s)),
            ("reconnects", str(traffic.num_reconnects)),
            ("today up", wording.size(traffic.up_today)),
            ("today down", wording.size(traffic.down_today)),
            ("since start", f"{wording.size(traffic.up)} up, {wording.size(traffic.down)} down"),
            ("upload cap", f"{cap:g} kB/s" if cap else "none"),
        ]
        return [self._budget(view, width), *saying.facts(known, width)]

    @staticmethod
    def _budget(view: View, width: int) -> Content:
        budget = view.status.limits.max_upload_mb_per_day
        name = ("budget".ljust(13), "$quiet")
        if not budget:
            return saying.cut(Content.assemble(name, "no daily limit"), width)
        share = view.status.traffic.up_today / (budget * 1e6)
        text = f" {share:.0%} of {budget:g} MB"
        style = "bold $alarm" if share >= 1 else "$mine"
        meter = bar(share, max(4, min(20, width - 13 - len(text))), view.glyphs, style)
        return saying.cut(Content.assemble(name, meter, text), width)


class PerRoundPane(Pane):
    """Bytes of each of the last rounds."""

    TITLE = "Bytes per round"
    HELP: ClassVar[str] = "What each round moved: up is what left this machine."

    def look(self, view: View, width: int, height: int) -> list[Content]:
        rounds = view.status.rounds[-height:]
        if not rounds:
            return [Content.styled("no round is over yet", "$quiet")]
        most = max(max(one.bytes_up, one.bytes_down) for one in rounds) or 1
        return [self._row(one, most, width, view.glyphs) for one in reversed(rounds)]

    @staticmethod
    def _row(one: PastRound, most: int, width: int, glyphs: Glyphs) -> Content:
        up = f"{glyphs.up} {wording.size(one.bytes_up):>8} "
        down = f"  {glyphs.down} {wording.size(one.bytes_down):>8} "
        room = width - 5 - len(up) - len(down)
        if room < 12:
            return saying.cut(Content.assemble((f"{one.number:>4} ", "$quiet"), up, down), width)
        line = Content.assemble(
            (f"{one.number:>4} ", "$quiet"),
            up,
            bar(one.bytes_up / most, room // 2, glyphs, "$mine"),
            down,
            bar(one.bytes_down / most, room // 2, glyphs, "$global"),
        )
        return saying.cut(line, width)
