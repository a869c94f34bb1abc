"""What every strategy promises, whoever wrote it."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from fedtui import plugins
from fedtui.learning.params import Manifest, Params, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.beside import TRAINING_SCALARS
from fedtui.rounds.plan import Plan
from fedtui.rounds.strategic import WANTS
from fedtui.rounds.sums import strategy_scalars
from fedtui.strategies.base import Cohort, Finished, Local, State, Strategy, first_state, in_chunks

D = 1000
MANIFEST = Manifest((TensorSpec("body.weight", (900,)), TensorSpec("head.weight", (100,))))


@pytest.fixture(params=plugins.names("strategies"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def strategy(name: str) -> Strategy:
    return plugins.build("strategies", name)


def inputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.standard_normal(D).astype(np.float32), rng.standard_normal(D) * 0.01


def about(strategy: Strategy) -> Cohort:
    return Cohort(3, dict.fromkeys(strategy.scalars, 1.5))


def run(strategy: Strategy, chunk: int) -> tuple[np.ndarray, State]:
    model, delta = inputs()
    state = first_state(strategy, D)
    for _ in range(3):
        model, state = in_chunks(strategy, model, delta, state, about(strategy), chunk=chunk)
    return model, state


def finished(strategy: Strategy) -> tuple[Local, Finished]:
    rng = np.random.default_rng(3)

    def vectors(names: tuple[str, ...]) -> dict[str, np.ndarray]:
        return {name: rng.standard_normal(D).astype(np.float32) for name in names}

    local = Local(
        update_D=rng.standard_normal(D).astype(np.float32),
        began=Params(MANIFEST, rng.standard_normal(D).astype(np.float32)),
        num_steps=5,
        training=TrainingSpec(),
        carried=vectors(strategy.carried),
        held=vectors(strategy.held),
        own_D=rng.standard_normal(D).astype(np.float32) if strategy.trains_own else None,
        loss=0.7 if strategy.needs_loss else math.nan,
    )
    return local, strategy.finish(local)


@pytest.mark.parametrize("chunk", [1, 7, 999, D, 10 * D])
def test_chunks_do_not_change_a_bit(strategy: Strategy, chunk: int) -> None:
    whole_model, whole_state = run(strategy, D)
    model, state = run(strategy, chunk)
    assert model.tobytes() == whole_model.tobytes()
    assert tuple(whole_state.vectors) == strategy.kept
    for key, vector in whole_state.vectors.items():
        assert vector.dtype == np.float64
        assert state.vectors[key].tobytes() == vector.tobytes()


def test_applying_moves_towards_the_mean_and_leaves_its_inputs_alone(strategy: Strategy) -> None:
    model, delta = inputs()
    state = first_state(strategy, D)
    kept = [a.copy() for a in (model, delta, *state.vectors.values())]
    stepped, _ = strategy.apply(model, delta, state, about(strategy))
    assert stepped.dtype == np.float32
    assert stepped.shape == (D,)
    assert np.dot(stepped - model, delta) > 0
    for now, before in zip((model, delta, *state.vectors.values()), kept, strict=True):
        assert np.array_equal(now, before)


def test_no_change_learned_is_no_change_made(strategy: Strategy) -> None:
    model, _ = inputs()
    stepped, _ = strategy.apply(model, np.zeros(D), first_state(strategy, D), about(strategy))
    assert np.array_equal(stepped, model)
    for name in strategy.carried:
        assert np.array_equal(strategy.carry(name, model, np.zeros(D), about(strategy)), model)


def test_carried_vectors_are_stepped_elementwise(strategy: Strategy) -> None:
    model, delta = inputs()
    for name in strategy.carried:
        whole = strategy.carry(name, model, delta, about(strategy))
        assert whole.dtype == np.float32
        parts = [strategy.carry(name, model[s], delta[s], about(strategy)) for s in halves()]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def halves() -> list[slice]:
    return [slice(0, 333), slice(333, D)]


def test_correct_does_the_same_to_tensors_and_arrays(strategy: Strategy) -> None:
    grad, param, anchor, extra = np.random.default_rng(1).standard_normal((4, D), np.float32)
    tensors = [torch.from_numpy(a.copy()) for a in (grad, param, anchor, extra)]
    for correct in (strategy.correct, strategy.correct_own):
        on_arrays = correct(grad, param, anchor, extra)
        np.testing.assert_allclose(np.asarray(correct(*tensors)), on_arrays, rtol=1e-5, atol=1e-6)


def test_a_node_sends_and_holds_what_is_declared(strategy: Strategy) -> None:
    local, done = finished(strategy)
    assert tuple(done.changes) == strategy.carried
    assert tuple(done.held) == strategy.held
    assert tuple(done.scalars) == strategy.scalars
    assert strategy_scalars(strategy.scalars, done.scalars) == dict(done.scalars)
    for vector in (done.update_D, *done.changes.values(), *done.held.values()):
        assert (vector.dtype, vector.shape) == (np.float32, (D,))
    again, same = finished(strategy)
    assert np.array_equal(local.update_D, again.update_D), "finish changed its input"
    assert np.array_equal(done.update_D, same.update_D)


def test_what_a_node_begins_with_and_uses_leaves_its_inputs_alone(strategy: Strategy) -> None:
    local, _ = finished(strategy)
    model = local.began
    before = model.vector_D.copy()
    assert strategy.misfit(MANIFEST) == ""
    held = {name: strategy.held_at_first(name, model) for name in strategy.held}
    for made in (strategy.begin(model, held), strategy.used(model, held)):
        assert made.vector_D.dtype == np.float32
        assert np.array_equal(made.vector_D, before), "who never trained has the global model"
    strategy.begin(model, local.held)
    strategy.used(model, local.held)
    assert np.array_equal(model.vector_D, before)


def test_of_tensors_that_stay_nothing_leaves(strategy: Strategy) -> None:
    _, done = finished(strategy)
    for spec, place in MANIFEST.slices():
        if spec.name in strategy.staying(MANIFEST):
            assert done.update_D[place].tobytes() == bytes(4 * spec.num_values)
        else:
            assert done.update_D[place].all()


def test_scalars_do_not_take_the_names_of_others(strategy: Strategy) -> None:
    assert not set(strategy.scalars) & set(TRAINING_SCALARS)
    assert strategy.wants <= WANTS


def test_what_a_plan_says_of_it_survives_the_wire(name: str) -> None:
    options = plugins.options("strategies", name)
    built = plugins.build("strategies", name)
    said = {key: value for key in options if (value := getattr(built, key)) is not None}
    plan = msgspec.convert(
        {
            "federation": {"name": "f"},
            "task": {"name": "digits"},
            "strategy": {"name": name, "options": said},
        },
        Plan,
    )
    heard = msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=Plan)
    assert plugins.build("strategies", heard.strategy.name, **heard.strategy.options) == built


def test_chunks_carry_their_own_part_of_the_state() -> None:
    class Heavy(Strategy):
        """A ball that rolls on: state of the model's size, different in every value."""

        kept = ("speed",)

        def apply(self, model_C, mean_C, state: State, cohort: Cohort):
            speed = 0.9 * state.vectors["speed"] + mean_C
            return (model_C + speed).astype(np.float32), State({"speed": speed})

    model, delta = inputs()
    state = State({"speed": np.arange(D, dtype=np.float64)})
    whole, after = Heavy().apply(model, delta, state, Cohort())
    pieces, parts = in_chunks(Heavy(), model, delta, state, chunk=17)
    assert np.array_equal(whole, pieces)
    assert np.array_equal(after.vectors["speed"], parts.vectors["speed"])


@pytest.mark.parametrize("what", ["kept", "carried", "held", "scalars"])
def test_a_name_where_a_tuple_belongs_is_said_with_its_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from fedtui.strategies.base import Strategy\n\n\nclass Mine(Strategy):\n"
        f'    {what} = ("speed")\n\n\nbuild = Mine\n'
    )
    with pytest.raises(plugins.PluginError, match=rf'mine.py, line 4 .*{what} .*write \("speed",'):
        plugins.build_file(path, None)
