import numpy as np
import pytest

from fedtui import plugins
from fedtui.transforms.base import Where
from fedtui.transforms.random_subset import RandomSubset


def test_every_value_leaves_as_often_as_the_others() -> None:
    subset, times = RandomSubset(fraction=0.25, scaled=False), np.zeros(100)
    for number in range(2000):
        where = Where(5, number, 0, 0)
        chosen = subset.backward(subset.forward(np.ones(100, np.float32), where), 100, where)
        assert chosen.sum() == 25
        times += chosen
    # 500 each, with a standard deviation of 19.4: five of them
    assert np.abs(times - 500).max() < 97


@pytest.mark.parametrize("length", [1, 2, 99, 5000])
def test_those_with_the_lowest_lots_leave(length: int) -> None:
    """As sorting says, which is slower."""
    where, values_B = Where(5, 1, 0, 0), np.arange(length, dtype=np.float32)
    sent_S = RandomSubset(fraction=0.3).forward(values_B, where)
    assert sent_S.tolist() == sorted(np.argsort(where.words(length))[: len(sent_S)].tolist())


def test_scaled_the_mean_over_rounds_is_that_of_all_values() -> None:
    subset, values_B = RandomSubset(fraction=0.5, scaled=True), np.arange(1, 9, dtype=np.float32)
    rounds = [Where(5, number, 0, 0) for number in range(4000)]
    back = [subset.backward(subset.forward(values_B, at), 8, at) for at in rounds]
    np.testing.assert_allclose(np.mean(back, axis=0), values_B, rtol=0.1)


@pytest.mark.parametrize("options", [{"fraction": 0}, {"fraction": 1.5}, {"fraction": True}])
def test_a_fraction_that_is_none_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(plugins.PluginError, match="fraction is"):
        plugins.build("transforms", "random_subset", **options)
