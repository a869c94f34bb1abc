"""What every attack promises, whoever wrote it."""

from pathlib import Path

import numpy as np
import pytest

from fedtui import plugins
from fedtui.attacks.base import Attack

D, N, CLASSES = 1000, 40, 10


DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
FROM_THE_DOCUMENT = "the one in docs/extending.md"


@pytest.fixture(params=[*plugins.names("attacks"), FROM_THE_DOCUMENT])
def attack(request: pytest.FixtureRequest, tmp_path: Path) -> Attack:
    if request.param != FROM_THE_DOCUMENT:
        return plugins.build("attacks", request.param)
    section = DOCUMENT.read_text().partition("## An attack\n")[2]
    path = tmp_path / "shuffled_labels.py"
    path.write_text(section.partition("```python\n")[2].partition("```")[0])
    return plugins.build_file(path, None)


def examples(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.standard_normal((N, *shape), np.float32), rng.integers(CLASSES, size=N)


def update() -> np.ndarray:
    return (np.random.default_rng(8).standard_normal(D) * 0.01).astype(np.float32)


@pytest.mark.parametrize("shape", [(64,), (8, 8), (1, 8, 8), (3, 8, 8)])
def test_examples_keep_their_form_and_the_originals_are_left_alone(
    attack: Attack, shape: tuple[int, ...]
) -> None:
    x, y = examples(*shape)
    kept = x.copy(), y.copy()
    other_x, other_y = attack.examples(x, y, CLASSES, np.random.default_rng(1))
    assert (other_x.shape, other_x.dtype) == (x.shape, x.dtype)
    assert (other_y.shape, other_y.dtype) == (y.shape, y.dtype)
    assert 0 <= other_y.min() <= other_y.max() < CLASSES
    assert np.isfinite(other_x).all()
    assert np.array_equal(x, kept[0])
    assert np.array_equal(y, kept[1])


def test_an_update_keeps_its_form_and_the_original_is_left_alone(attack: Attack) -> None:
    honest = update()
    kept = honest.copy()
    sent = attack.update(honest, np.random.default_rng(1))
    assert (sent.shape, sent.dtype) == ((D,), np.float32)
    assert np.isfinite(sent).all()
    assert np.array_equal(honest, kept)


def test_no_more_than_the_generator_decides(attack: Attack) -> None:
    def all_of_it() -> list[bytes]:
        rng = np.random.default_rng(3)
        pair = attack.examples(*examples(8, 8), CLASSES, rng)
        return [part.tobytes() for part in (*pair, attack.update(update(), rng))]

    assert all_of_it() == all_of_it()


def test_it_does_something(attack: Attack) -> None:
    rng = np.random.default_rng(3)
    x, y = examples(8, 8)
    other_x, other_y = attack.examples(x, y, CLASSES, rng)
    assert not (
        np.array_equal(x, other_x)
        and np.array_equal(y, other_y)
        and np.array_equal(update(), attack.update(update(), rng))
        and attack.claimed(N) == N
    )


def test_some_examples_are_claimed(attack: Attack) -> None:
    assert all(isinstance(attack.claimed(n), int) and attack.claimed(n) >= 1 for n in (1, N))


def test_who_does_not_train_needs_nothing_that_was_learned(attack: Attack) -> None:
    if not attack.trains:
        x, y = examples(8, 8)
        other_x, other_y = attack.examples(x, y, CLASSES, np.random.default_rng(1))
        assert other_x is x
        assert other_y is y
        sent = attack.update(np.zeros(D, np.float32), np.random.default_rng(1))
        again = attack.update(update(), np.random.default_rng(1))
        assert np.array_equal(sent, again)


@pytest.mark.parametrize("name", plugins.names("attacks"))
def test_an_option_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(plugins.PluginError, match="does not take these options"):
        plugins.build("attacks", name, no_such_option=1)
