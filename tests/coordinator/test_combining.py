from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from coordinator.checkpoints import CheckpointWriter, open_checkpoint
from coordinator.combining import Combiner
from coordinator.spool import Promise, Spool
from fedtui.aggregators.mean import Mean
from fedtui.combining.visible import CannotCombineError, Recipe
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.machine import Aggregate, Contribution
from fedtui.rounds.plan import FederationSection, Plan, PrivacySection, TaskSection
from fedtui.strategies.fedavg import FedAvg
from fedtui.wire.messages import ModelRef

D = 5000
MANIFEST = Manifest((TensorSpec("w", (D,)),))
PLAN = Plan(
    federation=FederationSection(name="test"),
    task=TaskSection(name="digits"),
    privacy=PrivacySection(updates="visible"),
)
NODES = [bytes([n]) * 32 for n in range(3)]


class Place:
    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        self.spool = Spool(folder / "spool", quota_bytes=2**30)
        recipe = Recipe(MANIFEST, Mean(), FedAvg())
        self.combiner = Combiner(self.models, self.spool, recipe, PLAN)

    def model(self, round_: int, values: np.ndarray) -> ModelRef:
        writer = CheckpointWriter(self.models, round_, MANIFEST)
        writer.write(values.astype("<f4").tobytes())
        done = writer.finish()
        return ModelRef(round=round_, digest=done.digest, num_bytes=done.num_bytes)

    def update(self, node: bytes, values: np.ndarray, weight: int) -> Contribution:
        data = values.astype("<f4").tobytes()
        digest = blake2b(data, digest_size=32).digest()
        upload = self.spool.receive(Promise(4, 2, node, len(data), digest))
        upload.write(0, data)
        upload.finish()
        return Contribution(node, digest, weight)


def test_I2_the_model_is_exactly_the_sum_over_the_contributions(tmp_path: Path) -> None:
    place = Place(tmp_path)
    base = place.model(3, np.ones(D))
    parts = tuple(place.update(node, np.full(D, n + 1.0), n + 1) for n, node in enumerate(NODES))
    done = place.combiner.run(Aggregate(4, 2, base, parts), verify=True)
    assert (done.round, done.attempt, done.model.round) == (4, 2, 4)
    with open_checkpoint(place.models / done.checkpoint, MANIFEST) as made:
        model_D = np.frombuffer(made.read(0, 4 * D), "<f4")
        assert made.digest == done.model.digest
    np.testing.assert_array_equal(model_D, np.float32(1 + (1 + 4 + 9) / 6))


def test_A2_a_damaged_update_is_noticed_after_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path)
    base = place.model(3, np.ones(D))
    part = place.update(NODES[0], np.ones(D), 1)
    file = next((tmp_path / "spool").glob("*.update"))
    file.write_bytes(np.zeros(D, "<f4").tobytes())
    with pytest.raises(CannotCombineError, match="damaged"):
        place.combiner.run(Aggregate(4, 2, base, (part,)), verify=True)


def test_a_failure_leaves_no_half_model(tmp_path: Path) -> None:
    place = Place(tmp_path)
    base = place.model(3, np.full(D, 1000.0))
    part = place.update(NODES[0], np.full(D, 500.0), 1)
    with pytest.raises(CannotCombineError, match="diverged"):
        place.combiner.run(Aggregate(4, 2, base, (part,)))
    assert [path.name for path in place.models.iterdir()] == ["model-000003.safetensors"]


def test_old_models_go_and_milestones_stay(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for round_ in range(9):
        place.model(round_, np.ones(D))
    (place.models / "mine.txt").write_text("not ours")
    place.combiner.prune(7, keep=2, milestones=frozenset({3}))
    left = sorted(path.name for path in place.models.iterdir())
    assert left == ["mine.txt"] + [f"model-{n:06d}.safetensors" for n in (0, 3, 6, 7, 8)]
