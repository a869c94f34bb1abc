"""What people see while the demo runs."""

import io

from rich.console import Console

from fedtui.demo.display import LiveDisplay, PlainDisplay
from fedtui.demo.panel import draw
from fedtui.demo.progress import Progress, RoundRow, duration, readable
from fedtui.demo.watch import Watch


def row(number: int, accuracy: float | None = 0.5) -> RoundRow:
    return RoundRow(number, 1.25, accuracy, 4, 1, 83_600, 86_700)


def screen() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=100, force_terminal=False), out


def test_plain_lines_tell_each_measured_round_once() -> None:
    console, out = screen()
    display = PlainDisplay(console)
    display.show(Progress(rows=(row(1), row(2, None))))
    display.show(Progress(rows=(row(1), row(2))))
    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1", "2"]
    assert "1 dropped" in lines[0]
    assert "83.6 kB" in lines[0]


def test_a_line_comes_with_the_score_and_not_at_the_end() -> None:
    console, out = screen()
    display, watch = PlainDisplay(console), Watch()
    for number in (1, 2):
        fields = {"round": number, "seconds": 0.5, "participants": 4, "dropped": 0}
        watch.take({"event": "round finished", **fields})
        display.show(watch.progress(0.0))
        assert len(out.getvalue().splitlines()) == number - 1
        watch.take({"event": "scored", "round": number, "score": 0.5})
        display.show(watch.progress(0.0))
        assert len(out.getvalue().splitlines()) == number
    assert "50.00%" in out.getvalue()
    assert "up" not in out.getvalue()  # nobody told it yet


def test_a_round_that_nobody_measured_is_told_when_the_next_one_or_the_end_comes() -> None:
    console, out = screen()
    display = PlainDisplay(console)
    display.show(Progress(rows=(row(1, None),)))
    assert out.getvalue() == ""
    display.show(Progress(rows=(row(1, None), row(2, None))))
    assert "round   1  accuracy not measured" in out.getvalue()
    display.show(Progress(rows=(row(1, None), row(2, None)), ended="all 2 rounds done"))
    assert len(out.getvalue().splitlines()) == 2


def test_waiting_is_told_once() -> None:
    console, out = screen()
    display = PlainDisplay(console)
    for _ in range(3):
        display.show(Progress(sentence="waiting for 5 nodes, 2 are here"))
    assert out.getvalue().count("waiting for 5") == 1


def test_a_long_line_stays_one_line_in_a_pipe() -> None:
    console, out = screen()
    PlainDisplay(console).say("node-1 joined: " + "ABCD-" * 40)
    assert len(out.getvalue().splitlines()) == 1


def test_the_live_panel_is_there_at_once_and_gone_at_the_end() -> None:
    out = io.StringIO()
    console = Console(file=out, width=60, height=18, force_terminal=True)
    display = LiveDisplay(console)
    display.say("coordinator on 127.0.0.1:1")
    display.show(Progress(sentence="round 3: 2 of 4 updates received", rows=(row(1),)))
    display.close()
    seen = out.getvalue()
    assert "starting the coordinator" in seen
    assert "2 of 4 updates received" in seen
    assert "\x1b[?25h" in seen  # the cursor is back


def test_the_clock_of_the_live_panel_goes_on_by_itself() -> None:
    now = [10.0]
    console = Console(file=io.StringIO(), width=60, height=18, force_terminal=True)
    display = LiveDisplay(console, clock=lambda: now[0])
    display.show(Progress(elapsed_s=5.0))
    now[0] += 7.0
    with console.capture() as captured:
        console.print(display._draw())
    display.close()
    assert "12 s" in captured.get()


def test_bytes_for_people() -> None:
    assert [readable(n) for n in (0, 999, 1000, 1_500_000, 2_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.5 MB",
        "2.0 GB",
    ]
    assert readable(None) == "—"


def test_time_for_people() -> None:
    assert [duration(s) for s in (0.4, 59.4, 59.6, 185.0)] == [
        "0 s",
        "59 s",
        "1:00 min",
        "3:05 min",
    ]


def test_time_left_counts_rounds_and_no_target_counts_no_bar() -> None:
    assert Progress().left_s is None
    assert Progress(rows=(row(1),), max_rounds=3).left_s == 2.5
    console, out = screen()
    console.print(draw(Progress()))
    assert "starting" in out.getvalue()
