"""The live panel: it fits every terminal, says what is known, and trusts no text."""

import io

import pytest
from rich.console import Console, RenderableType

from fedtui.demo.panel import MAX_TABLE, draw, table_of
from fedtui.demo.progress import NodeRow, Progress, RoundRow


def rows(num: int) -> tuple[RoundRow, ...]:
    return tuple(
        RoundRow(n, 1.25, 0.5 + 0.4 * n / num, 4, 0, 83_600, 86_700) for n in range(1, num + 1)
    )


def nodes(num: int) -> tuple[NodeRow, ...]:
    done = [NodeRow(f"node-{n}", "update received", 1.0) for n in range(num // 2)]
    busy = [NodeRow(f"node-{n}", "train 50%", 0.5) for n in range(num // 2, num)]
    return (*done, *busy)


def lines_of(shown: RenderableType, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(shown)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(120, 36), (80, 24), (60, 18), (40, 12)])
@pytest.mark.parametrize("num_nodes", [0, 1, 4, 20, 64])
@pytest.mark.parametrize("num_rounds", [0, 1, 3, 30, 200])
def test_it_fits_whatever_there_is(
    width: int, height: int, num_nodes: int, num_rounds: int
) -> None:
    progress = Progress(
        sentence="round 7: " + "very long " * 20,
        task="fashion_mnist",
        phase="train",
        target=0.95,
        max_rounds=300,
        nodes=nodes(num_nodes),
        rows=rows(num_rounds),
        elapsed_s=4000.0,
    )
    found = lines_of(draw(progress, width=width, height=height), width)
    assert len(found) < height
    assert {len(line) for line in found} == {min(width - 2, 100)}  # room for the echo of Ctrl-C


def test_the_present_phase_is_the_only_one_marked() -> None:
    line = lines_of(draw(Progress(phase="combine")))[1]
    assert "● combine" in line
    assert line.count("●") == 1


def test_the_bar_is_as_long_as_the_score_and_marks_the_target() -> None:
    progress = Progress(rows=(RoundRow(1, 1.0, 0.5, 2, 0, 1, 1),), target=0.75)
    line = next(line for line in lines_of(draw(progress)) if "target" in line)
    bar = line.split("50.00% ")[1].split(" target")[0]
    assert bar.count("━") == pytest.approx(len(bar) / 2, abs=1)
    assert bar.index("┃") == pytest.approx(len(bar) * 0.75, abs=1)


def test_the_curve_rises_with_the_score() -> None:
    found = lines_of(draw(Progress(rows=rows(4)), width=60, height=18), 60)
    line = next(line for line in found if "▁" in line)
    marks = [c for c in line if c in "▁▂▃▄▅▆▇█"]
    assert marks == sorted(marks)
    assert (marks[0], marks[-1]) == ("▁", "█")


def test_a_loss_is_no_percentage_and_its_best_is_the_smallest() -> None:
    measured = tuple(RoundRow(n, 1.0, s, 2, 0, 1, 1) for n, s in ((1, 2.3), (2, 1.9)))
    progress = Progress(rows=measured, metric="loss", target=1.0)
    text = "\n".join(lines_of(draw(progress)))
    assert progress.best == 1.9
    assert "loss 1.9000  target 1.0000" in text
    assert "━" not in text
    assert "%" not in text


def test_names_from_the_network_are_drawn_as_they_are() -> None:
    node = NodeRow("[bold]alice[/bold]", "train 50%", 0.5)
    text = "\n".join(lines_of(draw(Progress(nodes=(node,)))))
    assert "[bold]alice[/bold]" in text


def test_a_crowd_is_counted_and_marked_once_each() -> None:
    text = "\n".join(lines_of(draw(Progress(nodes=nodes(40)))))
    assert "20 of 40 participants are done" in text
    assert text.count("✓") == 20


def test_unknown_bytes_are_a_dash_and_no_sum_and_no_column_where_none_are_known() -> None:
    before, after = RoundRow(1, 1.0, 0.5, 4, 0), RoundRow(2, 1.0, 0.6, 4, 0, 1500, 2500)
    mixed = "\n".join(lines_of(draw(Progress(rows=(before, after)))))
    assert "1.5 kB" in mixed
    assert "—" in mixed
    assert " 0 B" not in mixed
    assert "up 1.5 kB" not in mixed
    unknown = "\n".join(lines_of(table_of((before,), "accuracy")))
    assert "up" not in unknown
    assert "1.0 s" in unknown


def test_the_table_tells_drops_and_leaves_out_the_middle_of_many() -> None:
    dropped = (RoundRow(1, 1.0, None, 3, 1, 1, 1),)
    assert "3 of 4" in "\n".join(lines_of(table_of(dropped, "accuracy")))
    many = lines_of(table_of(rows(100), "accuracy"), 56)
    numbers = [line.split()[0] for line in many[2:]]
    assert len(numbers) == MAX_TABLE + 1
    assert numbers[:2] == ["1", "2"]
    assert numbers[-1] == "100"
