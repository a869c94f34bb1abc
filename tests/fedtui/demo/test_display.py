"""What people see while the demo runs."""

import io

from rich.console import Console

from fedtui.demo.display import NodeRow, PlainDisplay, Progress, RoundRow, draw, readable


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


def test_waiting_is_told_once() -> None:
    console, out = screen()
    display = PlainDisplay(console)
    for _ in range(3):
        display.show(Progress(sentence="waiting for 5 nodes, 2 are here"))
    assert out.getvalue().count("waiting for 5") == 1


def test_names_from_the_network_are_drawn_as_they_are() -> None:
    console, out = screen()
    node = NodeRow("[bold]alice[/bold]", "train 50%", 0.5)
    console.print(draw(Progress(nodes=(node,), target=0.9, rows=(row(1),))))
    assert "[bold]alice[/bold]" in out.getvalue()
    assert "50.00%" in out.getvalue()


def test_bytes_for_people() -> None:
    assert [readable(n) for n in (0, 999, 1000, 1_500_000, 2_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.5 MB",
        "2.0 GB",
    ]


def test_time_left_counts_rounds_and_no_target_counts_no_bar() -> None:
    assert Progress().left_s is None
    assert Progress(rows=(row(1),), max_rounds=3).left_s == 2.5
    console, out = screen()
    console.print(draw(Progress()))
    assert "starting" in out.getvalue()
