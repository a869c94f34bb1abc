import numpy as np
import pytest
import torch
from torch import nn

from fedtui.learning.flat import FlatModel, manifest_of, travelling
from fedtui.learning.params import Manifest, Params, ParamsError, TensorSpec


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def params_of(module: nn.Module) -> Params:
    parts = [t.detach().numpy().reshape(-1) for t in travelling(module).values()]
    return Params(manifest_of(module), np.concatenate(parts))


def test_parameters_and_float_buffers_travel_and_counters_stay() -> None:
    names = [spec.name for spec in manifest_of(net()).tensors]
    assert names == [n for n in net().state_dict() if not n.endswith("num_batches_tracked")]


def test_gradients_arrive_in_the_flat_vector_as_torch_computes_them() -> None:
    plain = net()
    flat = FlatModel(net(), params_of(plain))
    x = torch.randn(5, 3)
    for module in (plain, flat.module):
        module(x).square().sum().backward()
    for (spec, place), (name, tensor) in zip(
        flat.manifest.slices(), travelling(plain).items(), strict=True
    ):
        assert spec.name == name
        expected = tensor.grad if isinstance(tensor, nn.Parameter) else torch.zeros_like(tensor)
        torch.testing.assert_close(flat.grads[place].view(spec.shape), expected)
        torch.testing.assert_close(flat.values[place].view(spec.shape), tensor.detach())
    assert flat.mask is not None
    assert int((flat.mask == 0).sum()) == 8


def test_the_given_params_stay_as_they_are() -> None:
    params = params_of(net())
    before = params.vector_D.copy()
    FlatModel(net(), params).values.add_(1)
    assert np.array_equal(params.vector_D, before)


def test_any_order_of_tensors_is_understood() -> None:
    module = net()
    straight = params_of(module)
    shuffled = Manifest(tuple(reversed(straight.manifest.tensors)))
    vector = np.concatenate([straight[s.name].reshape(-1) for s in shuffled.tensors])
    flat = FlatModel(net(), Params(shuffled, vector)).module.eval()
    x = torch.randn(5, 3)
    torch.testing.assert_close(flat(x), module.eval()(x))


def test_tied_weights_travel_once() -> None:
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    module[1].weight = module[0].weight
    assert [s.name for s in manifest_of(module).tensors] == ["0.weight"]


def test_models_that_cannot_travel_are_refused() -> None:
    with pytest.raises(ParamsError, match="make the model float32"):
        manifest_of(nn.Linear(2, 2).double())
    with pytest.raises(ParamsError, match="nothing to train"):
        manifest_of(nn.ReLU())


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ([("weight", (2, 3)), ("bias", (2,)), ("x", (1,))], "no tensor 'x'"),
        ([("weight", (3, 2)), ("bias", (2,))], r"'weight' has shape \(3, 2\), but \(2, 3\)"),
        ([("weight", (2, 3))], "'bias' of this task's model was not sent"),
    ],
)
def test_A2_params_of_another_model_are_refused(tensors, said: str) -> None:
    manifest = Manifest(tuple(TensorSpec(name, shape) for name, shape in tensors))
    params = Params(manifest, np.zeros(manifest.num_values, np.float32))
    with pytest.raises(ParamsError, match=said):
        FlatModel(nn.Linear(3, 2), params)
