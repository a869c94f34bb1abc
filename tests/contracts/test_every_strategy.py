"""What every strategy promises, whoever wrote it."""

import msgspec
import numpy as np
import pytest
import torch

from fedtui import plugins
from fedtui.strategies.base import LocalRule, State, Strategy, in_chunks

D = 1000


@pytest.fixture(params=plugins.names("strategies"))
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return plugins.build("strategies", request.param)


def inputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.standard_normal(D).astype(np.float32), rng.standard_normal(D) * 0.01


def run(strategy: Strategy, chunk: int) -> tuple[np.ndarray, State]:
    model, delta = inputs()
    state = strategy.init(D)
    for _ in range(3):
        model, state = in_chunks(strategy, model, delta, state, chunk=chunk)
    return model, state


@pytest.mark.parametrize("chunk", [1, 7, 999, D, 10 * D])
def test_chunks_do_not_change_a_bit(strategy: Strategy, chunk: int) -> None:
    whole_model, whole_state = run(strategy, D)
    model, state = run(strategy, chunk)
    assert model.tobytes() == whole_model.tobytes()
    assert state.num_rounds == whole_state.num_rounds == 3
    for name, vector in whole_state.vectors.items():
        assert vector.dtype == np.float64
        assert state.vectors[name].tobytes() == vector.tobytes()


def test_applying_moves_towards_the_mean_and_leaves_its_inputs_alone(strategy: Strategy) -> None:
    model, delta = inputs()
    kept = model.copy(), delta.copy()
    stepped, _ = strategy.apply(model, delta, strategy.init(D))
    assert stepped.dtype == np.float32
    assert stepped.shape == (D,)
    assert np.dot(stepped - model, delta) > 0
    assert np.array_equal(model, kept[0])
    assert np.array_equal(delta, kept[1])


def test_no_change_learned_is_no_change_made(strategy: Strategy) -> None:
    model, _ = inputs()
    stepped, _ = strategy.apply(model, np.zeros(D), strategy.init(D))
    assert np.array_equal(stepped, model)


def test_correct_does_the_same_to_tensors_and_arrays(strategy: Strategy) -> None:
    grad, param, anchor, extra = np.random.default_rng(1).standard_normal((4, D), np.float32)
    on_arrays = strategy.correct(grad, param, anchor, extra)
    tensors = [torch.from_numpy(a.copy()) for a in (grad, param, anchor, extra)]
    np.testing.assert_allclose(np.asarray(strategy.correct(*tensors)), on_arrays, rtol=1e-6)


def test_what_travels_survives_the_wire(strategy: Strategy) -> None:
    rule = strategy.local(strategy.init(D))
    assert msgspec.json.decode(msgspec.json.encode(rule), type=LocalRule) == rule
    assert rule.name in plugins.names("strategies")
    assert plugins.build("strategies", rule.name, **rule.options) is not None


def test_chunks_carry_their_own_part_of_the_state() -> None:
    class Heavy:
        """A ball that rolls on: state of the model's size, different in every value."""

        def init(self, num_values: int) -> State:
            return State({"speed": np.arange(num_values, dtype=np.float64)})

        def apply(self, model_C, mean_delta_C, state: State):
            speed = 0.9 * state.vectors["speed"] + mean_delta_C
            return (model_C + speed).astype(np.float32), State(
                {"speed": speed}, state.num_rounds + 1
            )

    model, delta = inputs()
    whole, state = Heavy().apply(model, delta, Heavy().init(D))
    pieces, parts = in_chunks(Heavy(), model, delta, Heavy().init(D), chunk=17)
    assert np.array_equal(whole, pieces)
    assert np.array_equal(state.vectors["speed"], parts.vectors["speed"])
    assert parts.num_rounds == 1
