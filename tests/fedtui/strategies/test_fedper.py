import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from two_nodes import TWO, TwoNodes

from fedtui import plugins
from fedtui.learning.params import Manifest, Params, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.strategies.base import Local
from fedtui.strategies.fedavg import FedAvg
from fedtui.strategies.fedper import FedPer

NAMES = ("conv.weight", "bn1.weight", "bn1.running_mean", "layer.bn2.bias", "head.weight")
NET = Manifest(tuple(TensorSpec(name, (3,)) for name in NAMES))


def test_two_nodes_by_hand() -> None:
    both = TwoNodes(FedPer(), steps=(1, 1), manifest=TWO)
    # Gradients -1 and 3 of both tensors: to (0.5, 0.5) and (-1.5, -1.5).
    both.round()
    assert both.vector.tolist() == [-0.5, 0.0]
    assert [held["own"].tolist() for held in both.held] == [[0.5, 0.5], [-1.5, -1.5]]
    # From (-0.5, 0.5) and (-0.5, -1.5), gradients -1 and 1: to (0, 1) and (-1, -2).
    both.round()
    assert both.vector.tolist() == [-0.5, 0.0]
    assert [held["own"].tolist() for held in both.held] == [[0.0, 1.0], [-1.0, -2.0]]


def test_plain_averaging_goes_elsewhere() -> None:
    both = TwoNodes(FedAvg(), steps=(1, 1), manifest=TWO)
    both.round()
    both.round()
    assert both.vector.tolist() == [-0.5, -0.5]


def test_a_node_uses_the_global_model_with_its_own_tensors() -> None:
    model = Params(TWO, np.array([7.0, 8.0], np.float32))
    held = {"own": np.array([1.0, 2.0], np.float32)}
    assert FedPer().used(model, held).vector_D.tolist() == [7.0, 2.0]
    assert FedPer(stays=("body.*",)).used(model, held).vector_D.tolist() == [1.0, 8.0]


@given(st.sets(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES) - 1), st.integers(0, 99))
def test_of_what_stays_nothing_leaves_and_the_rest_leaves_whole(
    stays: set[str], seed: int
) -> None:
    strategy = FedPer(stays=sorted(stays))
    began, update = np.random.default_rng(seed).standard_normal((2, 15)).astype(np.float32)
    local = Local(
        update_D=update,
        began=Params(NET, began),
        num_steps=1,
        training=TrainingSpec(),
        held={"own": np.zeros(15, np.float32)},
    )
    done = strategy.finish(local)
    for spec, place in NET.slices():
        sent = done.update_D[place].tobytes()
        assert sent == (bytes(12) if spec.name in stays else update[place].tobytes())
    assert done.held["own"].tobytes() == (began + update).tobytes()


def test_batch_normalisation_is_named_by_patterns() -> None:
    strategy = FedPer(stays=("*bn*",))
    assert strategy.staying(NET) == NAMES[1:4]
    assert strategy.misfit(NET) == ""


@pytest.mark.parametrize(
    ("stays", "said"),
    [
        (("head.*", "fc.*"), "no tensor of the model is named like 'fc.*'"),
        (("*",), "all tensors of the model would stay"),
        (("conv*", "*bn*", "head*"), "all tensors"),
    ],
)
def test_what_the_model_does_not_have_is_refused_with_its_names(
    stays: tuple[str, ...], said: str
) -> None:
    why = FedPer(stays=stays).misfit(NET)
    assert said in why
    assert all(name in why for name in NAMES)


@pytest.mark.parametrize("bad", ["head.*", [], [""], [1], ["x"] * 65, ["x" * 257]])
def test_patterns_must_be_a_list_of_names(bad: object) -> None:
    with pytest.raises(plugins.PluginError, match="stays"):
        plugins.build("strategies", "fedper", stays=bad)
