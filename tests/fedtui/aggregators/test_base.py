import numpy as np
import pytest

from fedtui.aggregators.base import MAX_MAGNITUDE, first_unfit


def test_an_ordinary_update_is_fit() -> None:
    largest = np.nextafter(np.float32(MAX_MAGNITUDE), np.float32(0))
    assert first_unfit(np.array([0.0, -1.5, largest, -largest, 1e-45], np.float32)) is None
    assert first_unfit(np.array([], np.float32)) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1024.0, -1024.0, 3e38])
@pytest.mark.parametrize("place", [0, 7, 4095])
def test_the_place_of_the_first_unfit_value_is_found(bad: float, place: int) -> None:
    update_D = np.zeros(4096, np.float32)
    update_D[place] = bad
    update_D[4095] = bad
    assert first_unfit(update_D) == place
