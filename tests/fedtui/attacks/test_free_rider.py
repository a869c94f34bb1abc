"""Free rider: sends what it did not learn, and may say it had much to learn from."""

import numpy as np
import pytest

from fedtui.attacks.free_rider import FreeRider


def test_nothing_of_what_was_learned_is_sent(rng: np.random.Generator) -> None:
    update = np.full(10_000, 7, np.float32)
    assert not FreeRider(noise=0).update(update, rng).any()
    sent = FreeRider(noise=0.5).update(update, rng)
    assert sent.mean() == pytest.approx(0, abs=5 * 0.5 / 100)
    assert sent.std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * 10_000))


def test_examples_are_exaggerated_within_what_the_protocol_carries() -> None:
    assert FreeRider().claimed(7) == 7
    assert FreeRider(exaggeration=2.5).claimed(100) == 250
    assert FreeRider(exaggeration=10_000).claimed(2**40) == 2**40


@pytest.mark.parametrize(
    "options", [{"noise": -1}, {"noise": float("nan")}, {"exaggeration": 0.5}]
)
def test_options_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FreeRider(**options)
