import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rows_combined import aggregate

from coordinator.vectorfiles import VectorFile
from fedtui.aggregators.base import Aggregator
from fedtui.aggregators.geometric_median import GeometricMedian
from fedtui.aggregators.krum import Krum
from fedtui.aggregators.mean import Mean
from fedtui.combining import visible
from fedtui.combining.visible import CannotCombineError, Recipe, Sink, Start, combine, unfit
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.privacy.noise import Central
from fedtui.strategies.base import State, Strategy, first_state, stepped
from fedtui.strategies.fedavg import FedAvg

D = 3 * visible.CHUNK + 17
MANIFEST = Manifest((TensorSpec("a", (2, 1000)), TensorSpec("b", (D - 2000,))))
RECIPE = Recipe(MANIFEST, Mean(), FedAvg())


class Shelf:
    """Vectors in files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.handles: list[int] = []

    def put(self, values: np.ndarray, *, before: bytes = b"") -> VectorFile:
        path = self.folder / f"{len(self.handles)}.bin"
        path.write_bytes(before + values.astype("<f4").tobytes())
        self.handles.append(os.open(path, os.O_RDONLY))
        return VectorFile(self.handles[-1], D, len(before))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    found = Shelf(tmp_path)
    yield found
    for handle in found.handles:
        os.close(handle)


def run(base: VectorFile, updates: list[tuple[VectorFile, int]]) -> np.ndarray:
    written: list[bytes] = []
    combine(RECIPE, Start(base), updates, Sink(lambda data: written.append(bytes(data))))
    return np.frombuffer(b"".join(written), "<f4")


def test_the_model_is_base_plus_weighted_mean_in_any_order(shelf: Shelf) -> None:
    rng = np.random.default_rng(7)
    base_D = rng.normal(size=D).astype(np.float32)
    updates = [rng.normal(size=D).astype(np.float32) for _ in range(5)]
    weights = [1, 70, 3, 900, 26]
    base = shelf.put(base_D, before=b"header..")
    files = [(shelf.put(u), w) for u, w in zip(updates, weights, strict=True)]
    model_D = run(base, files)
    expected = base_D + np.average(np.stack(updates).astype(np.float64), axis=0, weights=weights)
    assert model_D.shape == (D,)
    np.testing.assert_array_max_ulp(model_D, expected.astype(np.float32), maxulp=1)
    assert run(base, files[::-1]).tobytes() == model_D.tobytes()


def test_a_model_out_of_range_is_refused_by_name(shelf: Shelf) -> None:
    base = shelf.put(np.full(D, 1000.0))
    update_D = np.zeros(D)
    update_D[-1] = 30.0
    with pytest.raises(CannotCombineError, match=r"tensor 'b'.*diverged"):
        run(base, [(shelf.put(update_D), 1)])


@pytest.mark.parametrize(("mix", "num"), [(None, 9), (2.0, 9), (None, 70)])
def test_a_rule_by_distances_reads_twice_and_gives_what_it_would_in_memory(
    shelf: Shelf, mix: float | None, num: int
) -> None:
    rng = np.random.default_rng(7)
    rows_ND = rng.normal(size=(num, D)).astype(np.float32)
    rows_ND[4] *= 50
    base_D = rng.normal(size=D).astype(np.float32)
    recipe = Recipe(MANIFEST, GeometricMedian(), FedAvg(), mix)
    written: list[bytes] = []
    sink = Sink(lambda data: written.append(bytes(data)))
    looks = combine(
        recipe, Start(shelf.put(base_D)), [(shelf.put(row_D), 1) for row_D in rows_ND], sink
    )
    model_D = np.frombuffer(b"".join(written), "<f4")
    expected_D = base_D + aggregate(GeometricMedian(), rows_ND, mix=mix)
    assert model_D.tobytes() == expected_D.astype(np.float32).tobytes()
    assert max(range(num), key=lambda at: looks[at].length) == 4


def test_too_few_updates_end_the_round_with_the_numbers(shelf: Shelf) -> None:
    update = (shelf.put(np.zeros(D)), 1)
    with pytest.raises(CannotCombineError, match=r"krum needs at least 5 updates .* there are 3"):
        combine(Recipe(MANIFEST, Krum(bad=1), FedAvg()), Start(update[0]), [update] * 3, Sink(len))


@dataclass(frozen=True, slots=True)
class OwnRule(Aggregator):
    """What an operator's first rule may do wrong."""

    by_products: bool = False  # type: ignore[misc]  # an option here
    mistake: str = ""

    def shares(self, products_NN):
        return products_NN["all"] if self.mistake == "raises" else np.zeros(3)

    def combine(self, updates, weights):
        rows = list(updates)
        match self.mistake:
            case "raises":
                return rows["all"]
            case "is narrow":
                return rows[0]
            case "is short":
                return rows[0][1:].astype(np.float64)
        return np.mean(rows, axis=0, dtype=np.float64)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (OwnRule(mistake="raises"), r"the aggregator failed: TypeError: .* \(test_visible.py, "),
        (OwnRule(True, "raises"), r"the aggregator failed: IndexError: .* \(test_visible.py, "),
        (OwnRule(True), "the aggregator failed: ValueError: shares are rows of 1 numbers"),
        (OwnRule(mistake="is narrow"), "something else of 65536 values"),
        (OwnRule(mistake="is short"), "something else of 65536 values"),
    ],
)
def test_an_aggregator_that_breaks_the_protocol_is_told_how(
    shelf: Shelf, rule: Aggregator, said: str
) -> None:
    update = shelf.put(np.zeros(D))
    with pytest.raises(CannotCombineError, match=said):
        combine(Recipe(MANIFEST, rule, FedAvg()), Start(update), [(update, 1)], Sink(len))


@dataclass(frozen=True, slots=True)
class Own(Strategy):
    """What an operator's first strategy may do wrong."""

    kept = ("last",)

    mistake: str = ""

    def apply(self, model_C, mean_C, state, cohort):
        match self.mistake:
            case "raises":
                return state["last"], state
            case "is wide":
                return model_C + mean_C, state
            case "is alone":
                return stepped(model_C, mean_C)
            case "is short":
                return model_C[1:], state
            case "forgets":
                return stepped(model_C, mean_C), State()
        return stepped(model_C, mean_C), state


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("raises", r"the strategy failed: TypeError: .* \(test_visible.py, line \d+\)"),
        ("is wide", "something else of 65536 values"),
        ("is short", "something else of 65536 values"),
        ("is alone", "returned a ndarray: it returns two things"),
        ("forgets", "returned no 'last'"),
        ("", ""),
    ],
)
def test_a_strategy_that_breaks_the_protocol_is_told_how(
    shelf: Shelf, mistake: str, said: str
) -> None:
    strategy = Own(mistake)
    recipe = Recipe(RECIPE.manifest, RECIPE.aggregator, strategy)
    start = Start(shelf.put(np.zeros(D)), first_state(strategy, D))
    written: list[bytes] = []

    def go() -> None:
        updates = [(shelf.put(np.ones(D)), 1)]
        combine(recipe, start, updates, Sink(lambda data: written.append(bytes(data))))

    if not mistake:
        go()
        assert written
        return
    with pytest.raises(CannotCombineError, match=said):
        go()
    assert not written


def test_a_short_file_is_refused(shelf: Shelf) -> None:
    with pytest.raises(CannotCombineError, match="before its time"):
        run(shelf.put(np.zeros(D)), [(shelf.put(np.zeros(D - 1)), 1)])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1024.0, -2000.0])
@pytest.mark.parametrize(("place", "tensor"), [(0, "a"), (1999, "a"), (2000, "b"), (D - 1, "b")])
def test_A1_an_unfit_update_is_found_by_tensor(
    shelf: Shelf, bad: float, place: int, tensor: str
) -> None:
    update_D = np.zeros(D)
    assert unfit(shelf.put(update_D), MANIFEST) is None
    update_D[place] = bad
    reason = unfit(shelf.put(update_D), MANIFEST)
    assert reason is not None
    assert f"tensor {tensor!r} holds" in reason


def test_a_failing_writer_stops_the_threads(shelf: Shelf) -> None:
    def full(_data: memoryview) -> None:
        raise OSError("full")

    base = shelf.put(np.zeros(D))
    with pytest.raises(OSError, match="full"):
        combine(RECIPE, Start(base), [(base, 1)], Sink(full))


def test_N1_a_mean_is_hidden_before_anything_else_sees_it(shelf: Shelf) -> None:
    """By the noise of the plan, which is another in every chunk."""
    asked = []

    def hides(weight: float, num_values: int) -> Central:
        asked.append((weight, num_values))
        return Central(2.0, 0.25, num_values, b"s" * 32)

    written: list[bytes] = []
    updates = [(shelf.put(np.full(D, 0.5)), 1) for _ in range(3)]
    start = Start(shelf.put(np.zeros(D)), hides=hides)
    combine(RECIPE, start, updates, Sink(lambda data: written.append(bytes(data))))
    noise_D = np.frombuffer(b"".join(written), "<f4").astype(float) - 0.5
    assert asked == [(3, D)]
    assert abs(noise_D.std() / 0.5 - 1) < 5 / (2 * D) ** 0.5
    first, second = noise_D[: visible.CHUNK], noise_D[visible.CHUNK : 2 * visible.CHUNK]
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / visible.CHUNK**0.5
