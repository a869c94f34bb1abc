"""Masked vectors in files become the next model: exact, or refused with a reason."""

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import pytest
from a_masked_cohort import MASKED_PLAN, MaskedCohort

from coordinator.checkpoints import CheckpointWriter, open_checkpoint
from coordinator.combining import Combiner
from coordinator.spool import Promise, Spool
from fedtui.aggregators.mean import Mean
from fedtui.combining.visible import CannotCombineError, Recipe
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.machine import Aggregate, Aggregated, Contribution
from fedtui.rounds.plan import DpSection, Named, Plan, WeightsSection
from fedtui.secagg.encoding import PAYLOAD_WORDS
from fedtui.strategies.fedavg import FedAvg
from fedtui.transforms.base import BLOCK
from fedtui.wire.messages import ModelRef

LANES = MASKED_PLAN.privacy.lanes
FULL = PAYLOAD_WORDS * LANES
"""Values of a whole chunk."""
SIZES = [1, 1000, FULL - 5, FULL, 3 * FULL + 7]
EXAMPLES = [100, 250, 1, 1000, 640]


def cohort_of(size: int, num: int = 4, plan: Plan = MASKED_PLAN) -> MaskedCohort:
    rng = np.random.default_rng(size)
    updates = [rng.normal(0, 0.5, size).astype(np.float32) for _ in range(num)]
    return MaskedCohort(plan, updates, EXAMPLES[:num])


class Place:
    """A coordinator's folders, with the vectors of a cohort in the spool."""

    def __init__(self, folder: Path, cohort: MaskedCohort) -> None:
        self.cohort, self.folder = cohort, folder
        size = len(cohort.updates[0])
        self.manifest = Manifest((TensorSpec("w", (size,)),))
        self.models = folder / "models"
        self.spool = Spool(folder / "spool", quota_bytes=2**30)
        recipe = Recipe(self.manifest, Mean(), FedAvg())
        self.combiner = Combiner(self.models, self.spool, recipe, cohort.plan)
        self.base_D = np.linspace(-1, 1, size).astype("<f4")
        writer = CheckpointWriter(self.models, 3, self.manifest)
        writer.write(self.base_D.tobytes())
        done = writer.finish()
        self.base = ModelRef(round=3, digest=done.digest, num_bytes=done.num_bytes)
        self.parts = tuple(self._spooled(n, v) for n, v in cohort.vectors.items())

    def _spooled(self, number: int, data: bytes) -> Contribution:
        digest = blake2b(data, digest_size=32).digest()
        node = self.cohort.nodes[number].id
        upload = self.spool.receive(Promise(4, 2, node, len(data), digest))
        upload.write(0, data)
        upload.finish()
        return Contribution(node, digest, 1)

    def run(self, *, verify: bool = True) -> Aggregated:
        effect = Aggregate(4, 2, self.base, self.parts, self.cohort.opener)
        return self.combiner.run(effect, verify=verify)

    def model(self, done: Aggregated) -> np.ndarray:
        with open_checkpoint(self.models / done.checkpoint, self.manifest) as made:
            assert made.digest == done.model.digest
            return np.frombuffer(made.read(0, self.manifest.num_bytes), "<f4")

    def is_right(self, done: Aggregated) -> None:
        cohort = self.cohort
        expected = self.base_D + cohort.mean()
        np.testing.assert_allclose(self.model(done), expected, rtol=1e-6, atol=cohort.step)
        assert done.sums == {
            "loss_sum": sum(0.5 * n for n in cohort.vectors),
            "examples": sum(cohort.examples[n] for n in cohort.vectors),
        }


@pytest.mark.parametrize("size", SIZES)
def test_I2_the_model_is_the_base_and_the_mean_of_the_survivors(tmp_path: Path, size: int) -> None:
    place = Place(tmp_path, cohort_of(size).run())
    done = place.run()
    place.is_right(done)
    assert (done.round, done.attempt, done.model.round, done.liars) == (4, 2, 4, ())


@pytest.mark.parametrize("size", [1000, 3 * FULL + 7])
def test_a_node_lost_after_its_shares_is_not_in_the_sum(tmp_path: Path, size: int) -> None:
    cohort = cohort_of(size, num=5).run(lose=frozenset({2}))
    place = Place(tmp_path, cohort)
    place.is_right(place.run())


@pytest.mark.parametrize("lanes", [3, 4])
def test_other_lanes_give_the_same_but_coarser(tmp_path: Path, lanes: int) -> None:
    privacy = msgspec.structs.replace(MASKED_PLAN.privacy, lanes=lanes)
    plan = msgspec.structs.replace(MASKED_PLAN, privacy=privacy)
    place = Place(tmp_path, cohort_of(2 * FULL, plan=plan).run())
    place.is_right(place.run())


def smaller(lanes: int, *transforms: Named) -> Plan:
    privacy = msgspec.structs.replace(MASKED_PLAN.privacy, lanes=lanes)
    return msgspec.structs.replace(MASKED_PLAN, privacy=privacy, transforms=transforms)


@pytest.mark.parametrize("size", [1000, BLOCK, 2 * BLOCK + 77])
def test_rotated_updates_come_back_whatever_the_chunks_and_blocks(
    tmp_path: Path, size: int
) -> None:
    plan = smaller(3, Named(name="hadamard"))
    place = Place(tmp_path, cohort_of(size, plan=plan).run())
    wrong_D = place.model(place.run()) - (place.base_D + place.cohort.mean())
    # A rotation keeps lengths, so errors are as long as before: below a step for each value.
    assert np.linalg.norm(wrong_D) < place.cohort.step * size**0.5
    assert np.abs(wrong_D).max() < 6 * place.cohort.step


@pytest.mark.parametrize("size", [1000, 2 * BLOCK + 76])
def test_of_a_random_subset_the_rest_of_the_model_stays(tmp_path: Path, size: int) -> None:
    subset = Named(name="random_subset", options={"fraction": 0.25})
    place = Place(tmp_path, cohort_of(size, plan=smaller(2, subset)).run())
    moved_D = place.model(place.run()).astype(np.float64) - place.base_D
    there = moved_D != 0
    assert there.sum() == size // 4
    expected = 4 * place.cohort.mean()[there]
    np.testing.assert_allclose(moved_D[there], expected, atol=5 * place.cohort.step + 1e-6)


def test_a_holder_that_lies_is_named_and_the_sum_is_right(tmp_path: Path) -> None:
    cohort = cohort_of(1000, num=5).run(liars=frozenset({1}))
    place = Place(tmp_path, cohort)
    done = place.run()
    place.is_right(done)
    assert done.liars == (cohort.nodes[1].id,)


def test_too_many_liars_are_an_abort_that_says_so(tmp_path: Path) -> None:
    place = Place(tmp_path, cohort_of(1000).run(liars=frozenset({0, 1})))
    with pytest.raises(CannotCombineError, match="do not give what it committed to"):
        place.run()


@pytest.mark.parametrize("chunk", [0, 2, 3])
def test_a_spoilt_vector_is_refused(tmp_path: Path, chunk: int) -> None:
    cohort = cohort_of(3 * FULL + 7).run()
    words = np.frombuffer(cohort.vectors[1], "<u8").copy()
    words[8192 * chunk] += np.uint64(9)  # a guard word: a garbage vector misses all of them
    cohort.vectors[1] = words.tobytes()
    place = Place(tmp_path, cohort)
    with pytest.raises(CannotCombineError, match="does not come from 4 whole vectors"):
        place.run()
    assert [path.name for path in place.models.iterdir()] == ["model-000003.safetensors"]


def test_a_vector_that_is_missing_from_the_sum_is_noticed(tmp_path: Path) -> None:
    place = Place(tmp_path, cohort_of(1000).run())
    place.parts = place.parts[:-1]
    with pytest.raises(CannotCombineError, match="whole vectors"):
        place.run()


def test_A2_a_damaged_vector_is_noticed_after_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path, cohort_of(1000).run())
    file = next((tmp_path / "spool").glob("*.update"))
    data = bytearray(file.read_bytes())
    data[99] ^= 1
    file.write_bytes(data)
    with pytest.raises(CannotCombineError, match="damaged"):
        place.run()


def test_a_short_vector_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path, cohort_of(1000).run())
    file = next((tmp_path / "spool").glob("*.update"))
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(CannotCombineError, match="before its time"):
        place.run(verify=False)


def test_a_weight_that_no_cohort_can_have_is_refused(tmp_path: Path) -> None:
    cohort = cohort_of(1000)
    cohort.examples[2] = MASKED_PLAN.weight_cap
    scalars_say = cohort.plan.weight_cap * 5
    cohort.run()
    # node 2 adds to its masked weight what brings the sum beyond four full weights
    words = np.frombuffer(cohort.vectors[2], "<u8").copy()
    layout = cohort.layout
    lane = 64 // layout.lanes
    place = layout.num_values + 1  # second digit of the first scalar
    more = (scalars_say << 16) >> layout.value_bits
    words[1 + place // layout.lanes] += np.uint64(more << (lane * (place % layout.lanes)))
    cohort.vectors[2] = words.tobytes()
    place_ = Place(tmp_path, cohort)
    with pytest.raises(CannotCombineError, match="cannot weigh"):
        place_.run()


@pytest.mark.parametrize(("bound", "fits"), [(20.0, True), (1.0, False)])
def test_A3_a_mean_longer_than_every_update_may_be_is_refused(
    tmp_path: Path, bound: float, fits: bool
) -> None:
    plan = msgspec.structs.replace(MASKED_PLAN, training=TrainingSpec(update_clip=bound))
    cohort = MaskedCohort(plan, [np.full(FULL + 9, 0.05, np.float32)] * 4, EXAMPLES[:4])
    place = Place(tmp_path, cohort.run())  # its length is 6.4
    if fits:
        place.is_right(place.run())
        return
    with pytest.raises(CannotCombineError, match="bounds every update to 1"):
        place.run()


def test_a_model_out_of_range_is_refused_by_name(tmp_path: Path) -> None:
    cohort = MaskedCohort(MASKED_PLAN, [np.full(100, 3.0, np.float32)] * 4, EXAMPLES[:4])
    place = Place(tmp_path, cohort.run())
    (place.models / "model-000003.safetensors").unlink()
    writer = CheckpointWriter(place.models, 3, place.manifest)
    writer.write(np.full(100, 1022.0, "<f4").tobytes())
    done = writer.finish()
    place.base = ModelRef(round=3, digest=done.digest, num_bytes=done.num_bytes)
    with pytest.raises(CannotCombineError, match=r"tensor 'w'.*diverged"):
        place.run()


# ---- under differential privacy -----------------------------------------------------------------

CLIP, Z = 1.0, 2.0


def hidden_cohort(mechanism: str, length: float = 0.0, size: int = FULL + 9) -> MaskedCohort:
    """Four nodes whose updates all have this length."""
    plan = msgspec.structs.replace(
        MASKED_PLAN,
        weights=WeightsSection(by="equal"),
        training=TrainingSpec(update_clip=CLIP),
        dp=DpSection(mechanism=mechanism, noise=Z),
    )
    update_D = np.full(size, length / size**0.5, np.float32)
    return MaskedCohort(plan, [update_D] * 4, [1] * 4).run()


@pytest.mark.parametrize(
    ("mechanism", "sigma"),
    [
        ("distributed", Z * CLIP / 2**0.5 * 4**0.5 / 4),  # minimum 3, of which 1 colludes
        ("local", Z * CLIP * 4**0.5 / 4),
        ("central", Z * CLIP / 4),
    ],
)
def test_N1_a_mean_has_the_noise_that_the_plan_promises(
    tmp_path: Path, mechanism: str, sigma: float
) -> None:
    place = Place(tmp_path, hidden_cohort(mechanism))
    done = place.run()
    noise_D = place.model(done).astype(np.float64) - place.base_D
    assert abs(noise_D.std() / sigma - 1) < 5 / (2 * len(noise_D)) ** 0.5
    assert abs(noise_D.mean()) < 5 * sigma / len(noise_D) ** 0.5
    assert done.sums == {}


@pytest.mark.parametrize("mechanism", ["distributed", "local", "central"])
def test_N2_what_is_longer_than_the_clip_moves_the_mean_by_the_clip(
    tmp_path: Path, mechanism: str
) -> None:
    moved = []
    for number, length in enumerate((0.0, 50.0)):
        place = Place(tmp_path / str(number), hidden_cohort(mechanism, length))
        if mechanism == "central":
            place.combiner = replace(place.combiner, plan=_quiet(place.combiner.plan))
        moved.append(place.model(place.run()).astype(np.float64))
    assert np.linalg.norm(moved[1] - moved[0]) == pytest.approx(CLIP, rel=1e-2)


def _quiet(plan: Plan) -> Plan:
    """The coordinator of this one adds next to nothing."""
    return msgspec.structs.replace(plan, dp=DpSection(mechanism="central", noise=1e-6))


def test_N3_a_coordinator_never_adds_the_same_noise_twice(tmp_path: Path) -> None:
    place = Place(tmp_path, hidden_cohort("central"))
    first, again = (place.model(place.run()) - place.base_D for _ in range(2))
    assert abs(np.corrcoef(first, again)[0, 1]) < 5 / len(first) ** 0.5
