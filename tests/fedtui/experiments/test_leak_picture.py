"""The picture of a drill: small, the same each time, and no row more than fit a page."""

import re

import numpy as np

from fedtui.experiments import leak_picture
from fedtui.leakage.cohort import View
from fedtui.leakage.drill import Figure, Report, Strip

VIEWS = (View(nodes=1), View(nodes=10), View(nodes=1, epsilon=8.0))
RNG = np.random.default_rng(0)
REPORT = Report(
    task="digits",
    examples=1,
    members=8,
    repetitions=6,
    delta=1e-5,
    ssim=tuple(
        Figure(view=view, attack="search", mean=0.5, low=0.4, high=0.6) for view in VIEWS[:2]
    ),
    guess={},
    auroc=(),
)


def strip(channels: int = 1) -> Strip:
    pictures = [RNG.random((channels, 28, 28)) for _ in range(3)]
    return Strip(pictures[0], dict(zip(VIEWS[:2], pictures[1:], strict=True)))


def test_it_is_small_and_the_same_each_time() -> None:
    strips = [strip() for _ in range(6)]
    drawn = leak_picture.draw(REPORT, strips, VIEWS)
    assert drawn.png.startswith(b"\x89PNG")
    assert 1000 < len(drawn.png) < 100_000
    assert leak_picture.draw(REPORT, strips, VIEWS) == drawn
    assert len(re.findall(rb"<image ", drawn.svg)) == 4 * 3, "four victims, three pictures each"


def test_every_column_is_named_and_colours_are_drawn() -> None:
    text = leak_picture.draw(REPORT, [strip(3)], VIEWS).svg
    for words in (b"original", b"plain update", b"sum of 10", b"epsilon 8", b"SSIM 0.50"):
        assert b"<!-- " + words in text
