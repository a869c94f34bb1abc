import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from fedtui.experiments import drawing
from fedtui.experiments.drawing import Figure, NoPicturesError


def paint(figure: Figure) -> None:
    axes = figure.add_subplot()
    drawing.line(axes, [1, 2, 3], [0.5, 0.6, 0.7], color=drawing.BLUE)
    drawing.dashed_at(axes, 0.65, "target")
    drawing.whole_rounds(axes)


def test_equal_numbers_give_equal_bytes_whatever_the_user_set() -> None:
    one = drawing.draw((3, 2), paint)
    before = dict(mpl.rcParams)
    try:
        mpl.rcParams.update(
            {"axes.facecolor": "pink", "svg.hashsalt": None, "xtick.labelsize": 30}
        )
        changed = dict(mpl.rcParams)
        two = drawing.draw((3, 2), paint)
        assert dict(mpl.rcParams) == changed, "the picture changed settings of others"
    finally:
        mpl.rcParams.update(before)
    assert one.svg == two.svg
    assert one.png == two.png
    assert b"<dc:date>" not in one.svg


def test_pyplot_is_never_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # an import of it would fail
    assert drawing.draw((3, 2), paint).png


def test_both_files_are_written_side_by_side(tmp_path: Path) -> None:
    drawn = drawing.draw((3, 2), paint)
    for name in ("a.png", "a.svg", "a"):
        paths = drawn.write(tmp_path / name)
        assert paths == (tmp_path / "a.png", tmp_path / "a.svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


def test_units_make_readable_numbers() -> None:
    assert drawing.byte_unit(0).name == "bytes"
    assert drawing.byte_unit(999).name == "bytes"
    assert drawing.byte_unit(2.5e6) == drawing.Unit(1e6, "MB")
    names = [drawing.time_unit(s).name for s in (0.001, 2, 100, 200, 10_000, 20_000, 10**6)]
    assert names == [
        "milliseconds",
        "milliseconds",
        "seconds",
        "minutes",
        "minutes",
        "hours",
        "days",
    ]


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NoPicturesError, match=r"pip install 'fedtui\[results\]'"):
        drawing.draw((3, 2), paint)
