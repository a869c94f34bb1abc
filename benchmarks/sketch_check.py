"""What a sketch check of masked updates would cost, let through and tell: why there is none.

    python -m benchmarks.sketch_check --dim 1000000 --json

The idea: of its encoded vector x (whole numbers) each node computes K sums with random signs, its
sketch; |sketch|**2 is |x|**2 give or take a share sqrt(2 / K). It shares the sketch among a
committee, so that c of them see nothing. The committee opens the sum of a group's sketches, which
must be the sketch of the group's sum (exact whole numbers: nobody can share another sketch), and
of each node the length only. Here a value is in one of the K sums, chosen at random (Thorup and
Zhang 2012): as exact as K full projections at a K-th of the work.

    cpu               seconds of one sketch of D values
    bytes_up          what each node sends a committee of all nodes
    bytes_of_a_member what a member of the committee sends the coordinator
    let_through       how many clips the luckiest of a million nodes can send, where the bound is
                      so that not one honest node of a million is refused
    told              how well the opened length of one node is known: standard error, as a share
    chosen_first      what is measured, in clips, of 1,000 clips whose maker knew the signs before
    needed            members of a committee from which lengths can be opened while some lie:
                      squares double the degree of the shares, and liars are outvoted
    liar              what becomes of 10 clips, if their maker holds a share of its own sketch and
                      c is 1: answers of committee
"""

from __future__ import annotations

import argparse
import itertools
import math
import time

import numpy as np
import numpy.typing as npt

from benchmarks.printing import show
from fedtui.crypto import shamir
from fedtui.crypto.shamir import ELEMENT_BYTES, PRIME, Recovery
from fedtui.secagg.graph import default_colluders

SIZES = (64, 256, 1024)
MILLION = 10**6
Whole = npt.NDArray[np.int64]


def signs(dim: int, size: int, seed: int) -> tuple[Whole, Whole]:
    """For each of `dim` values the sum that it goes to, and 1 or -1."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, size, dim), 2 * rng.integers(0, 2, dim) - 1


def sketch(values_D: Whole, of: tuple[Whole, Whole], size: int) -> Whole:
    """The sums: whole numbers, exact while they are below 2**53."""
    to_D, sign_D = of
    return np.rint(np.bincount(to_D, values_D * sign_D, size)).astype(np.int64)


def dealt(
    sketch_K: list[int], holders: int, degree: int, rng: np.random.Generator
) -> list[list[int]]:
    """The shares of a sketch, a list for each holder."""
    shares = []
    for value in sketch_K:
        drawn = [int.from_bytes(rng.bytes(32), "little") % PRIME for _ in range(degree)]
        shares.append(shamir.share(value % PRIME, drawn, range(1, holders + 1)))
    return [list(one) for one in zip(*shares, strict=True)]


def value_of(squares: dict[int, int]) -> int:
    """What a polynomial through just these points is at 0."""
    return Recovery(squares).value(squares)


def opened(squares: dict[int, int], degree: int, lying: int) -> int | None:
    """|sketch|**2 from the holders' sums of squares, of which at most `lying` are false.

    `degree` is that of the polynomial that they lie on. None if that does not settle it.
    """
    fits = set()
    for kept in itertools.combinations(squares, max(degree + 1, len(squares) - lying)):
        some = {x: squares[x] for x in kept[: degree + 1]}
        more = (Recovery(some, at=x).value(some) == squares[x] for x in kept[degree + 1 :])
        if all(more):
            fits.add(value_of(some))
    return fits.pop() if len(fits) == 1 else None


def liar(holders: int, colluders: int, lost: int = 0) -> str:
    """What becomes of a node of 10 clips that holds one share of its own sketch.

    It knows every share that it dealt, so it reports what makes the opened length a clip.
    """
    rng = np.random.default_rng(holders)
    long_K = [int(v) for v in rng.integers(-1000, 1000, 16)]
    true = sum(v * v for v in long_K)
    held = dealt(long_K, holders, colluders, rng)[: holders - lost]
    squares = {x: sum(s * s for s in of) % PRIME for x, of in enumerate(held, start=1)}
    degree = 2 * colluders
    if len(squares) <= degree:
        return "nothing can be opened"
    first = list(squares)[: degree + 1]
    weighs = Recovery(first).value({x: int(x == 1) for x in first})
    squares[1] = (squares[1] + (true // 100 - true) * pow(weighs, -1, PRIME)) % PRIME
    found = opened(squares, degree, colluders)
    if found is None:
        return "who lies cannot be told: nobody's length is known"
    return "caught" if found == true else "passes"


def spread(size: int, tries: int = 20_000) -> tuple[float, float]:
    """Longest that passes in clips, and the share by which an opened length is wrong (std).

    |sketch|**2 / |x|**2 of spread vectors is chi-squared of `size` degrees over `size`.
    """
    rng = np.random.default_rng(size)
    ratio = rng.chisquare(size, tries * 50) / size
    return math.sqrt(float(ratio.max() / ratio.min())), float(np.sqrt(ratio).std())


def chosen_first(dim: int, size: int) -> float:
    """What is measured of 1,000 clips by a node that knew the signs: it cancels each sum."""
    of = signs(dim, size, 1)
    values_D = np.random.default_rng(2).integers(-1000, 1000, dim)
    sums_K = sketch(values_D, of, size)
    last = {int(to): at for at, to in enumerate(of[0])}
    for to, at in last.items():
        values_D[at] -= sums_K[to] * of[1][at]
    clip = math.sqrt(float(np.square(values_D, dtype=np.float64).sum())) / 1000
    return math.sqrt(float(np.square(sketch(values_D, of, size)).sum())) / clip


def cost(dim: int, size: int) -> float:
    """CPU seconds of a sketch."""
    values_D = np.random.default_rng(3).integers(-(2**24), 2**24, dim)
    began = time.process_time()
    sketch(values_D, signs(dim, size, 1), size)
    return time.process_time() - began


def run(options: argparse.Namespace) -> dict[str, object]:
    n = options.nodes
    c = default_colluders(n)
    found: dict[str, object] = {"dim": options.dim, "nodes": n, "colluders": c}
    for size in SIZES:
        through, wrong = spread(size)
        found[f"sums {size}"] = {
            "cpu": round(min(cost(options.dim, size) for _ in range(3)), 4),
            "bytes_up": size * n * ELEMENT_BYTES,
            "bytes_of_a_member": (size + n) * ELEMENT_BYTES,
            "let_through": round(through, 2),
            "told": round(wrong, 3),
            "chosen_first": chosen_first(options.dim, size),
        }
    found["needed"] = {
        f"{size} nodes, {bad} lying": 4 * bad + 1 for size, bad in ((3, 1), (5, 1), (n, c))
    }
    found["liar"] = {
        "3 of 3": liar(3, 1),
        "5 of 5": liar(5, 1),
        "4 of 5": liar(5, 1, lost=1),
        "3 of 5": liar(5, 1, lost=2),
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dim", type=int, default=MILLION)
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args()
    show(run(options), as_json=options.json)


if __name__ == "__main__":
    main()
