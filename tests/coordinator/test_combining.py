from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import pytest

from coordinator.checkpoints import CheckpointWriter, open_checkpoint
from coordinator.combining import Combiner
from coordinator.spool import Promise, Spool
from fedtui.aggregators.mean import Mean
from fedtui.combining.visible import CannotCombineError, Recipe
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.machine import Aggregate, Contribution
from fedtui.rounds.plan import (
    FederationSection,
    Plan,
    PrivacySection,
    TaskSection,
    TrafficSection,
)
from fedtui.strategies.fedavg import FedAvg
from fedtui.wire.changes import Applying, Bits
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
    def __init__(self, folder: Path, traffic: TrafficSection | None = None) -> None:
        self.models = folder / "models"
        self.spool = Spool(folder / "spool", quota_bytes=2**30)
        recipe = Recipe(MANIFEST, Mean(), FedAvg())
        plan = msgspec.structs.replace(PLAN, traffic=traffic or TrafficSection())
        self.combiner = Combiner(self.models, self.spool, recipe, plan)

    def model(self, round_: int, values: np.ndarray) -> ModelRef:
        writer = CheckpointWriter(self.models, round_, MANIFEST)
        writer.write(values.astype("<f4").tobytes())
        done = writer.finish()
        return ModelRef(round=round_, digest=done.digest, num_bytes=done.num_bytes)

    def update(
        self, node: bytes, values: np.ndarray, weight: int, *, number: int = 4
    ) -> Contribution:
        data = values.astype("<f4").tobytes()
        digest = blake2b(data, digest_size=32).digest()
        upload = self.spool.receive(Promise(number, 2, node, len(data), digest))
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
    place.combiner.prune(7, bases=frozenset({7}), keep=2, milestones=frozenset({3}))
    left = sorted(path.name for path in place.models.iterdir())
    assert left == ["mine.txt"] + [f"model-{n:06d}.safetensors" for n in (0, 3, 6, 7, 8)]


@pytest.mark.parametrize("bits", [32, 16, 8, 4])
def test_the_change_beside_the_model_leads_to_it(tmp_path: Path, bits: Bits) -> None:
    place = Place(tmp_path, TrafficSection(model_bits=bits))
    rng = np.random.default_rng(1)
    base_D = rng.normal(0, 0.1, D).astype("<f4")
    update_D = rng.normal(0, 1e-3, D).astype("<f4")
    base = place.model(3, base_D)
    done = place.combiner.run(Aggregate(4, 2, base, (place.update(NODES[0], update_D, 1),)))
    made = bytearray()
    node = Applying(D, base.digest, lambda at, num: base_D[at : at + num], made.extend)
    data = (place.models / "change-000004.bin").read_bytes()
    assert node.feed(memoryview(data)) == len(data) == done.change_bytes
    assert node.digest == done.model.digest
    with open_checkpoint(place.models / done.checkpoint, MANIFEST) as model:
        assert bytes(made) == model.read(0, 4 * D)
    exact = (base_D + update_D).astype("<f4").tobytes()
    assert (bytes(made) == exact) == (bits == 32)


def test_without_it_in_the_plan_there_is_no_change(tmp_path: Path) -> None:
    place = Place(tmp_path)
    base = place.model(3, np.ones(D))
    place.combiner.run(Aggregate(4, 2, base, (place.update(NODES[0], np.ones(D), 1),)))
    assert list(place.models.glob("change*")) == []


def test_a_failure_leaves_no_half_change(tmp_path: Path) -> None:
    place = Place(tmp_path, TrafficSection(model_bits=8))
    base = place.model(3, np.full(D, 1000.0))
    part = place.update(NODES[0], np.full(D, 500.0), 1)
    with pytest.raises(CannotCombineError, match="diverged"):
        place.combiner.run(Aggregate(4, 2, base, (part,)))
    assert [path.name for path in place.models.iterdir()] == ["model-000003.safetensors"]


def test_changes_go_with_the_models(tmp_path: Path) -> None:
    place = Place(tmp_path, TrafficSection(model_bits=8))
    base = place.model(0, np.ones(D))
    for number in range(1, 6):
        effect = Aggregate(number, 2, base, ())
        part = place.update(NODES[0], np.full(D, 0.1), 1, number=number)
        base = place.combiner.run(replace(effect, contributions=(part,))).model
    place.combiner.prune(4, bases=frozenset({4}), keep=2, milestones=frozenset({1}))
    left = sorted(path.name for path in place.models.glob("change*"))
    assert left == [f"change-{n:06d}.bin" for n in (3, 4, 5)]
