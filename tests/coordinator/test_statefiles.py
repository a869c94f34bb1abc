"""What a strategy keeps lies beside the model that it belongs to, or the coordinator says so."""

import os
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from fake_files import FaithlessFiles, PowerLossError

from coordinator.checkpoints import CheckpointError, CheckpointWriter, open_checkpoint
from coordinator.combining import Combiner
from coordinator.spool import Promise, Spool
from coordinator.statefiles import (
    KEPT,
    Shape,
    StateWriter,
    leftovers,
    open_state,
    state_name,
    verify,
)
from fedtui.aggregators.mean import Mean
from fedtui.combining import visible
from fedtui.combining.visible import Recipe
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.machine import Aggregate, Aggregated, Contribution
from fedtui.simulation.world import small_plan
from fedtui.strategies.base import State, Strategy
from fedtui.strategies.fedavgm import FedAvgM
from fedtui.strategies.fedopt import FedOpt
from fedtui.wire.messages import ModelRef

D = visible.CHUNK + 5
MANIFEST = Manifest((TensorSpec("w", (D,)),))
NODE = b"n" * 32
MODEL = b"m" * 32
BALL = FedAvgM(momentum=0.5)


class Place:
    """A coordinator's folders; every round has one update, the same in each."""

    def __init__(self, folder: Path, strategy: Strategy = BALL) -> None:
        self.models = folder / "models"
        self.spool = Spool(folder / "spool", quota_bytes=2**30)
        self.recipe = Recipe(MANIFEST, Mean(), strategy)
        writer = CheckpointWriter(self.models, 0, MANIFEST)
        writer.write(np.zeros(D, "<f4").tobytes())
        done = writer.finish()
        self.model = ModelRef(round=0, digest=done.digest, num_bytes=done.num_bytes)

    def round(self, update: float = 1.0, *, attempt: int = 1) -> Aggregated:
        """One round by a coordinator that has just started."""
        number = self.model.round + 1
        data = np.full(D, update, "<f4").tobytes()
        digest = blake2b(data, digest_size=32).digest()
        upload = self.spool.receive(Promise(number, attempt, NODE, len(data), digest))
        upload.write(0, data)
        upload.finish()
        combiner = Combiner(self.models, self.spool, self.recipe, small_plan())
        parts = (Contribution(NODE, digest, 1),)
        return combiner.run(Aggregate(number, attempt, self.model, parts))

    def values(self, done: Aggregated) -> np.ndarray:
        with open_checkpoint(self.models / done.checkpoint, MANIFEST) as made:
            return np.frombuffer(made.read(0, 4 * D), "<f4")

    def verify(self, model: ModelRef) -> str | None:
        return verify(self.models, model.round, model.digest, Shape(self.recipe.strategy, D))


def test_every_round_goes_on_from_what_the_last_one_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for expected in (1.0, 1 + 1.5, 2.5 + 1.75):
        done = place.round()
        np.testing.assert_array_equal(place.values(done), np.float32(expected))
        assert place.verify(done.model) is None
        place.model = done.model
    rows = safetensors.numpy.load_file(place.models / state_name(3))["rows"]
    assert (rows.shape, rows.dtype) == ((D, 1), np.float64)
    np.testing.assert_array_equal(rows, 1.75)


def test_a_round_that_a_crash_undid_leaves_nothing_in_the_next(tmp_path: Path) -> None:
    """Its state is of another model than the one that was committed: it is made again."""
    place = Place(tmp_path)
    place.round(update=100.0)  # and then the process dies, before the commit
    done = place.round(attempt=2)
    np.testing.assert_array_equal(place.values(done), np.float32(1.0))
    place.model = done.model
    np.testing.assert_array_equal(place.values(place.round()), np.float32(2.5))


def test_several_vectors_keep_their_places(tmp_path: Path) -> None:
    place = Place(tmp_path, FedOpt(beta1=0.5, beta2=0.5, tau=0.5))
    done = place.round()
    shape = Shape(place.recipe.strategy, D)
    kept = open_state(place.models, 1, done.model.digest, shape)
    part = kept.part(slice(D - 3, D))
    kept.close()
    assert part.vectors["mean"].tolist() == [0.5] * 3
    assert part.vectors["square"].tolist() == [0.5 * 0.25 + 0.5] * 3


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: os.truncate(path, path.stat().st_size - 1), "wrong length"),
        (lambda path: change(path, 1000), "was changed"),
        (lambda path: change(path, -60), "another model"),
        (lambda path: change(path, 3), "another strategy"),
    ],
)
def test_harm_to_the_file_is_noticed_and_never_gone_on_from(
    tmp_path: Path, harm, said: str
) -> None:
    place = Place(tmp_path)
    place.model = place.round().model
    assert place.verify(place.model) is None
    harm(place.models / state_name(1))
    assert said in str(place.verify(place.model))
    if said != "was changed":
        with pytest.raises(CheckpointError, match=said):
            place.round()


def change(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_half_written_state_goes_away(tmp_path: Path) -> None:
    shape = Shape(FedAvgM(), 2)
    writer = StateWriter(tmp_path, 1, shape)
    writer.keep(State({"velocity": np.ones(1)}))
    with pytest.raises(CheckpointError, match="1 of 2 values"):
        writer.finish(MODEL)
    writer.abandon()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_power_cut_leaves_the_whole_state_or_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = Shape(FedAvgM(), 2)
    folder = Path("models")
    for stop_at in range(1, 20):
        files = FaithlessFiles(stop_at=stop_at)
        done = False
        try:
            writer = StateWriter(folder, 1, shape, files=files)
            writer.keep(State({"velocity": np.ones(2)}))
            writer.finish(MODEL)
            done = True
        except PowerLossError:
            pass
        found = files.crash(rng)
        problem = verify(folder, 1, MODEL, shape, files=found)
        assert not (done and problem)
        if problem is None:
            kept = open_state(folder, 1, MODEL, shape, files=found)
            assert kept.part(slice(0, 2)).vectors["velocity"].tolist() == [1.0, 1.0]
        if done:
            return
    pytest.fail("the writer never came to its end")


def test_only_the_newest_stay() -> None:
    names = [state_name(n) for n in range(1, 8)] + ["model-000001.safetensors"]
    assert leftovers(names, 5, {5}) == [state_name(n) for n in (1, 2, 3, 6, 7)]
    assert leftovers(names, 5, {2, 5}) == [state_name(n) for n in (1, 3, 6, 7)]
    assert KEPT == 2
