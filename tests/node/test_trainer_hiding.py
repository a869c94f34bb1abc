"""What the trainer hides: by the noise of its job, which is fresh every time."""

import msgspec
import numpy as np
import pytest
from a_plan import MANIFEST

from fedtui.learning.data import DataSource
from fedtui.learning.training import TrainingSpec
from fedtui.privacy.noise import Noise
from fedtui.secagg import encoding
from fedtui.secagg.encoding import Encoding
from node import jobs
from node.trainer_hiding import encoder, hidden

NUM = 30_000
NOISE = Noise(clip=1.0, sigma=0.2)


def mask_job(noise: Noise | None) -> jobs.MaskJob:
    layout = Encoding(
        num_values=NUM, scalars=("weight",), lanes=2, largest_cohort=10, value_range=4.0
    )
    job = jobs.MaskJob(
        job_id=1,
        update_path="u",
        out_path="o",
        encoding=layout,
        scalars={"weight": 1.0},
        weight=1.0,
        rounding_seed=b"r" * 32,
        plus=(),
        minus=(),
        noise=noise,
    )
    return msgspec.json.decode(msgspec.json.encode(job), type=jobs.MaskJob)  # as it travels


def train_job(noise: Noise | None) -> jobs.TrainJob:
    return jobs.TrainJob(
        job_id=1,
        task=jobs.TaskRef(name="digits"),
        data=DataSource(),
        manifest=MANIFEST,
        model_path="m",
        training=TrainingSpec(),
        seed=1,
        round=1,
        node_index=0,
        out_path="o",
        noise=noise,
    )


def masked_values(noise: Noise | None, update_D: np.ndarray) -> np.ndarray:
    job = mask_job(noise)
    made = encoder(job, update_D)
    slots = [
        encoding.decode(job.encoding, made.chunk(index), index, 1)
        for index in range(job.encoding.num_chunks)
    ]
    return np.concatenate(slots)[:NUM] / job.encoding.scale


def visible_values(noise: Noise | None, update_D: np.ndarray) -> np.ndarray:
    return hidden(train_job(noise), update_D).astype(float)


@pytest.mark.parametrize("values", [masked_values, visible_values])
def test_N3_the_noise_of_a_node_is_as_large_as_its_job_says_and_never_the_same(values) -> None:
    nothing = np.zeros(NUM, np.float32)
    first, again = values(NOISE, nothing), values(NOISE, nothing)
    for one in (first, again):
        assert abs(one.std() / 0.2 - 1) < 5 / (2 * NUM) ** 0.5
    assert abs(np.corrcoef(first, again)[0, 1]) < 5 / NUM**0.5


@pytest.mark.parametrize("values", [masked_values, visible_values])
def test_N2_an_update_is_clipped_even_where_others_add_the_noise(values) -> None:
    long = np.full(NUM, 1.0, np.float32)
    clipped = values(Noise(clip=1.0, sigma=0.0), long)
    assert 0.99 < np.linalg.norm(clipped) <= 1.0


@pytest.mark.parametrize("values", [masked_values, visible_values])
def test_that_without_noise_an_update_leaves_as_it_is(values) -> None:
    update = np.random.default_rng(1).normal(0, 0.1, NUM).astype(np.float32)
    assert np.abs(values(None, update) - update).max() < 1e-7
