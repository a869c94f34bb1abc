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


class Restless(nn.Module):
    """Changes whatever a module can change of itself as it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("drawn", torch.rand(2), persistent=False)
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(2))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        self.last = x
        self.drawn.add_(1)
        self.count = self.count + 1
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)[:2]
        return self.linear(x) * self.drawn + self.calls + self.count


def test_a_model_loaded_again_is_as_if_made_anew() -> None:
    module = Restless()
    params = params_of(module)
    other = Params(params.manifest, params.vector_D + 1)
    drawn = module.drawn.clone()
    flat = FlatModel(module, params)
    x = torch.randn(4, 3)
    expected = flat.module(x).detach().clone()
    moved_D = flat.values.clone()
    for given in (params, other, params):
        flat.reload(given)
        assert np.array_equal(flat.values.numpy(), given.vector_D)
        assert torch.equal(module.drawn, drawn)
        assert (module.calls, int(module.count), hasattr(module, "last")) == (0, 0, False)
        assert torch.equal(flat.module(x), expected) == (given is params)
    assert torch.equal(flat.values, moved_D)
    module.mean.fill_(7)
    flat.reload(params)
    module.mean.fill_(7)
    place = next(p for spec, p in flat.manifest.slices() if spec.name == "mean")
    assert flat.values[place].tolist() == [7, 7], "the buffer is a view of the vector again"


def test_a_kept_model_refuses_params_of_another() -> None:
    flat = FlatModel(net(), params_of(net()))
    with pytest.raises(ParamsError, match="the task differs"):
        flat.reload(params_of(nn.Linear(3, 2)))
    straight = params_of(net())
    turned = Manifest(tuple(reversed(straight.manifest.tensors)))
    with pytest.raises(ParamsError, match="another order"):
        flat.reload(Params(turned, straight.vector_D))


def adapter(seed: int = 1) -> nn.Module:
    """A frozen layer and a trained one."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    return module


def test_frozen_parameters_do_not_travel_and_are_named_by_their_bytes() -> None:
    found = manifest_of(adapter())
    assert [spec.name for spec in found.tensors] == ["1.weight", "1.bias"]
    assert found.frozen == manifest_of(adapter()).frozen
    assert manifest_of(net()).frozen == ""
    other = adapter()
    with torch.no_grad():
        other[0].bias[0] = torch.nextafter(other[0].bias[0], torch.tensor(9.0))
    assert manifest_of(other).frozen != found.frozen, "one bit"
    assert manifest_of(other).digest() != found.digest(), "the plan's hash covers it"
    half = adapter()
    half[0].half()
    assert manifest_of(half).frozen not in {"", found.frozen}, "of any dtype"


def test_another_base_model_is_refused_and_a_wholly_frozen_one_is_no_model() -> None:
    mine = params_of(adapter())
    model = FlatModel(adapter(), mine)
    assert len(model.values) == 10
    with pytest.raises(ParamsError, match=r"frozen weights of this task's model are [0-9a-f]{16}"):
        FlatModel(adapter(seed=2), mine)
    with pytest.raises(ParamsError, match="nothing to train"):
        manifest_of(adapter().requires_grad_(False))
