import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from torch import nn

from fedtui.learning import trainer
from fedtui.learning.data import Examples
from fedtui.learning.objectives import Classification
from fedtui.learning.params import Params, ParamsError
from fedtui.learning.result import StoppedError, TrainError
from fedtui.learning.trainer import (
    Hooks,
    Workbench,
    evaluate,
    initial,
    main,
    predict,
    train_locally,
)
from fedtui.learning.training import TrainingSpec
from fedtui.plugins import PluginError

torch.set_num_threads(1)


class Small(Classification):
    labels = ("low", "high")

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def data(self, source):
        raise NotImplementedError


class Dropping(Small):
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))


class Normed(Small):
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))


class Projecting(nn.Module):
    """Draws what never travels: all nodes must project alike, in every round."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("by", torch.randn(4, 4), persistent=False)

    def forward(self, x):
        return x @ self.by


class Everything(Small):
    """Dropout, a cumulative average that counts batches, and a drawn projection."""

    def model(self) -> nn.Module:
        return nn.Sequential(
            Projecting(),
            nn.Linear(4, 8),
            nn.BatchNorm1d(8, momentum=None),
            nn.Dropout(0.5),
            nn.Linear(8, 2),
        )


def examples(n: int = 50) -> Examples:
    x = np.random.default_rng(1).standard_normal((n, 4)).astype(np.float32)
    return Examples(x, (x.sum(1) > 0).astype(np.int64))


def naive(task: Small, params: Params, data: Examples, spec: TrainingSpec, seed) -> np.ndarray:
    """The same training as anybody would write it, with torch.optim."""
    module = task.model()
    with torch.no_grad():
        for tensor, (_, value) in zip(module.parameters(), params.items(), strict=True):
            tensor.copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(module.parameters(), lr=spec.learning_rate)
    rng = np.random.default_rng(list(seed))
    for _ in range(spec.epochs):
        order = rng.permutation(len(data))
        for start in range(0, len(order), spec.batch_size):
            chosen = order[start : start + spec.batch_size]
            optimizer.zero_grad()
            logits = module(torch.from_numpy(data.x[chosen]))
            loss = nn.functional.cross_entropy(logits, torch.from_numpy(data.y[chosen]))
            loss.backward()
            if spec.clip_norm is not None:
                nn.utils.clip_grad_norm_(module.parameters(), spec.clip_norm)
            optimizer.step()
    parts = [p.detach().numpy().reshape(-1) for p in module.parameters()]
    return np.concatenate(parts) - params.vector_D


@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_training_is_what_anybody_would_write(clip_norm: float | None) -> None:
    task, data = Small(), examples()
    params = initial(task, seed=3)
    spec = TrainingSpec(epochs=3, batch_size=16, learning_rate=0.2, clip_norm=clip_norm)
    result = train_locally(task, params, data, spec, seed=(1, 2, 3))
    expected = naive(task, params, data, spec, (1, 2, 3))
    np.testing.assert_allclose(result.update_D, expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-2
    assert result.update_D.dtype == np.float32
    assert result.num_examples == 50
    assert result.sums["examples"] == 150


def test_equal_seeds_give_equal_bits_and_each_part_of_the_seed_counts() -> None:
    task, data, spec = Dropping(), examples(), TrainingSpec(epochs=2, batch_size=8)
    params = initial(task, seed=1)
    seeds = [(1, 1, 0), (1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1)]
    updates = []
    for seed in seeds:
        torch.rand(7)  # whatever else drew from torch's generator must not matter
        updates.append(train_locally(task, params, data, spec, seed=seed).update_D.tobytes())
    assert updates[0] == updates[1]
    assert len(set(updates)) == 4
    assert initial(task, seed=1).vector_D.tobytes() == params.vector_D.tobytes()
    assert initial(task, seed=2).vector_D.tobytes() != params.vector_D.tobytes()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=6),
    st.sampled_from(["sgd", "adam"]),
)
def test_a_used_workbench_gives_the_bits_of_a_new_one(uses, optimizer: str) -> None:
    task, data = Everything(), examples()
    bench = Workbench(task)
    spec = TrainingSpec(epochs=2, batch_size=8, optimizer=optimizer, momentum=0.5)
    for model, number, trains in uses:
        params = initial(task, seed=model)
        torch.rand(number)
        if trains:
            kept = bench.train(params, data, spec, seed=(1, number, 2))
            torch.rand(number + 1)
            new = train_locally(task, params, data, spec, seed=(1, number, 2))
            assert kept.update_D.tobytes() == new.update_D.tobytes()
            assert kept.sums == new.sums
        else:
            assert bench.evaluate(params, data) == evaluate(task, params, data)
    assert bench.manifest == initial(task, seed=1).manifest


def test_rows_are_as_if_taken_out(rng: np.random.Generator) -> None:
    task, data = Everything(), examples(5000)
    data.x.flags.writeable = False  # as memory that processes share
    params, bench, spec = initial(task, seed=1), Workbench(task), TrainingSpec(batch_size=300)
    for rows in (rng.permutation(5000)[:2345], np.arange(7), np.empty(0, np.int64)):
        own = data.take(rows)
        assert bench.evaluate(params, data, rows=rows) == evaluate(task, params, own)
        if len(rows):
            some = bench.train(params, data, spec, seed=(1, 1, 0), rows=rows)
            alone = train_locally(task, params, own, spec, seed=(1, 1, 0))
            assert some.update_D.tobytes() == alone.update_D.tobytes()
            assert (some.num_examples, some.sums) == (alone.num_examples, alone.sums)
    with pytest.raises(TrainError, match="no examples"):
        bench.train(params, data, spec, seed=(1, 1, 0), rows=np.empty(0, np.int64))


def test_seeding_torch_is_what_torch_calls_seeding() -> None:
    task, data, spec = Dropping(), examples(8), TrainingSpec(steps=1, batch_size=8)
    seen = []

    class Seen(Dropping):
        def loss(self, model, batch):
            seen.append(torch.initial_seed())
            return super().loss(model, batch)

    train_locally(Seen(), initial(task, seed=1), data, spec, seed=(4, 5, 6))
    state = np.random.SeedSequence([4, 5, 6]).generate_state(1, np.uint64)
    assert seen == [int(state[0] >> np.uint64(1))]


def test_the_update_is_clipped_to_its_bound_and_keeps_its_direction() -> None:
    task, data = Small(), examples()
    params = initial(task, seed=1)
    free = train_locally(task, params, data, TrainingSpec(epochs=3), seed=(1, 1, 0)).update_D
    spec = TrainingSpec(epochs=3, update_clip=0.01)
    bound = train_locally(task, params, data, spec, seed=(1, 1, 0)).update_D
    assert np.linalg.norm(free) > 0.02
    assert np.linalg.norm(bound) == pytest.approx(0.01, rel=1e-5)
    np.testing.assert_allclose(bound / 0.01, free / np.linalg.norm(free), atol=1e-5)
    loose = TrainingSpec(epochs=3, update_clip=1e6)
    assert np.array_equal(free, train_locally(task, params, data, loose, seed=(1, 1, 0)).update_D)


def test_a_strategy_corrects_the_gradient_with_anchor_and_extra() -> None:
    task, data = Small(), examples()
    params = initial(task, seed=1)
    spec = TrainingSpec(steps=1, learning_rate=1.0)
    seen = []

    def correct(grad, param, anchor, extra):
        seen.append((param.clone(), anchor.clone()))
        return grad * 0 + extra

    extra = np.arange(params.manifest.num_values, dtype=np.float32) / 64
    hooks = Hooks(correct=correct, extra_D=extra)
    result = train_locally(task, params, data, spec, seed=(1, 1, 0), hooks=hooks)
    np.testing.assert_allclose(result.update_D, -extra, atol=1e-6)
    assert torch.equal(seen[0][0], seen[0][1])
    assert np.array_equal(seen[0][1].numpy(), params.vector_D)


def test_running_statistics_travel_but_nothing_pulls_at_them() -> None:
    class NormedFirst(Small):
        def model(self) -> nn.Module:
            return nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))

    task, data = NormedFirst(), examples()
    params = initial(task, seed=1)
    plain, pulled = TrainingSpec(epochs=2), TrainingSpec(epochs=2, weight_decay=0.1, momentum=0.5)
    hooks = Hooks(correct=lambda grad, param, anchor, extra: grad + 1.0)
    free = train_locally(task, params, data, plain, seed=(1, 1, 0))
    tied = train_locally(task, params, data, pulled, seed=(1, 1, 0), hooks=hooks)
    for name in ("0.running_mean", "0.running_var"):
        changes = [Params(params.manifest, r.update_D)[name] for r in (free, tied)]
        assert np.abs(changes[0]).max() > 1e-3
        assert np.array_equal(*changes), "they follow the data, not the strategy or the decay"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_A1_bad_data_names_the_tensor_and_sends_nothing(bad: float) -> None:
    task, data = Small(), examples()
    data.x[7, 2] = bad
    with pytest.raises(TrainError, match=r"tensor '0\.(weight|bias)' holds NaN.*nothing is sent"):
        train_locally(task, initial(task, seed=1), data, TrainingSpec(), seed=(1, 1, 0))


def test_A1_divergence_is_said_with_its_batch() -> None:
    task, data = Small(), examples()
    spec = TrainingSpec(epochs=50, learning_rate=1000, optimizer="sgd", momentum=0.99)
    data.x[:] *= 1e20
    with pytest.raises(TrainError, match=r"loss became (nan|inf) in epoch \d+, batch \d"):
        train_locally(task, initial(task, seed=1), data, spec, seed=(1, 1, 0))


def test_A1_a_finite_loss_does_not_hide_an_update_that_is_not() -> None:
    class Sly(Small):
        def loss(self, model, batch):
            return super().loss(model, batch) * 0 + model[2].bias.sum() * 1e38

    task = Sly()
    spec = TrainingSpec(steps=1, learning_rate=100.0)
    with pytest.raises(TrainError, match=r"update of tensor '2\.bias' holds NaN or Inf"):
        train_locally(task, initial(task, seed=1), examples(), spec, seed=(1, 1, 0))


def test_A2_params_of_another_model_are_refused() -> None:
    with pytest.raises(ParamsError, match="the task differs"):
        evaluate(Normed(), initial(Small(), seed=1), examples())


def test_inputs_that_do_not_fit_the_model_are_said_with_their_shape() -> None:
    task = Small()
    params = initial(task, seed=1)
    wrong = Examples(np.zeros((5, 9), np.float32), np.zeros(5, np.int64))
    for call in (
        lambda: train_locally(task, params, wrong, TrainingSpec(), seed=(1, 1, 0)),
        lambda: evaluate(task, params, wrong),
        lambda: list(predict(task, params, wrong.x)),
    ):
        with pytest.raises(TrainError, match=r"inputs of shape \(9,\)"):
            call()
    labels = Examples(np.zeros((5, 4), np.float32), np.full(5, 7))
    with pytest.raises(TrainError, match="out of bounds"):
        train_locally(task, params, labels, TrainingSpec(), seed=(1, 1, 0))


class NoModel(Small):
    def model(self):
        nn.Linear(4, 2)


class NumberLoss(Small):
    def loss(self, model, batch):
        return super().loss(model, batch).item()


class VectorLoss(Small):
    def loss(self, model, batch):
        return model(batch.x)


class DetachedLoss(Small):
    def loss(self, model, batch):
        return super().loss(model, batch).detach()


class NoSums(Small):
    def metrics(self, model, batch):
        pass


class FewSums(Small):
    def metrics(self, model, batch):
        return {"correct": 1.0}


class TensorSums(Small):
    def metrics(self, model, batch):
        sums = super().metrics(model, batch)
        return sums | {"correct": torch.tensor(sums["correct"])}


class Narrow(Small):
    def model(self):
        return nn.Linear(4, 1)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (NoModel, "`model` of the task returned NoneType, expected a torch.nn.Module"),
        (NumberLoss, "`loss` of the task returned 0.* expected a tensor of one number"),
        (VectorLoss, r"`loss` of the task returned a tensor of \(24, 2\), expected"),
        (DetachedLoss, "`loss` of the task does not depend on the model"),
        (NoSums, "`metrics` of the task returned NoneType; .* needs the sums loss_sum, correct"),
        (FewSums, "`metrics` of the task returned correct; its metric accuracy needs"),
        (TensorSums, r"returned correct as Tensor: expected a number, use float\(...\)"),
        (Narrow, r"`model` .* shape \(24, 1\), expected \(examples, 2\), one for each class"),
    ],
)
def test_what_a_part_of_a_task_returns_is_looked_at(kind: type[Small], says: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((24, 4)).astype(np.float32)
    examples = Examples(x, np.arange(24) % 2)

    def one_step() -> None:
        params = initial(kind(), seed=1)
        train_locally(kind(), params, examples, TrainingSpec(), seed=(1, 1, 0))
        evaluate(kind(), params, examples)

    with pytest.raises(PluginError, match=says):
        one_step()


def test_no_examples_no_training() -> None:
    task = Small()
    with pytest.raises(TrainError, match="no examples"):
        train_locally(task, initial(task, seed=1), examples(0), TrainingSpec(), seed=(1, 1, 0))


def test_training_stops_when_asked() -> None:
    task, answers = Small(), iter([False, False, True])
    hooks = Hooks(cancelled=lambda: next(answers))
    with pytest.raises(StoppedError):
        train_locally(
            task,
            initial(task, seed=1),
            examples(),
            TrainingSpec(epochs=9),
            seed=(1, 1, 0),
            hooks=hooks,
        )
    with pytest.raises(StoppedError):
        evaluate(task, initial(task, seed=1), examples(), cancelled=lambda: True)


def test_evaluation_sums_add_up_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    task, data = Small(), examples(50)
    params = initial(task, seed=1)
    whole = evaluate(task, params, data)
    monkeypatch.setattr(trainer, "_EVALUATION_BATCH", 7)
    pieces = evaluate(task, params, data)
    assert whole["examples"] == pieces["examples"] == 50
    assert whole["correct"] == pieces["correct"]
    assert whole["loss_sum"] == pytest.approx(pieces["loss_sum"], rel=1e-5)
    assert evaluate(task, params, examples(0)) == {"loss_sum": 0, "correct": 0, "examples": 0}


def test_evaluation_uses_running_statistics_and_changes_nothing() -> None:
    task, data = Normed(), examples()
    params = initial(task, seed=1)
    before = params.vector_D.copy()
    one = evaluate(task, params, data)
    parts = [evaluate(task, params, data.take(np.array([i])))["correct"] for i in range(50)]
    assert sum(parts) == one["correct"]
    assert np.array_equal(params.vector_D, before)


def test_predictions_carry_labels() -> None:
    task, data = Small(), examples()
    params = initial(task, seed=1)
    spec = TrainingSpec(epochs=60, learning_rate=0.5)
    update = train_locally(task, params, data, spec, seed=(1, 1, 0)).update_D
    trained = params.add(Params(params.manifest, update))
    answers = list(predict(task, trained, data.x))
    right = [a["prediction"] == task.labels[y] for a, y in zip(answers, data.y, strict=True)]
    assert np.mean(right) > 0.9
    assert all(0.5 <= a["confidence"] <= 1 for a in answers)


def test_main_writes_a_whole_file_and_says_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "w.safetensors"
    arguments = ["--task", "digits", "--options", '{"hidden": 5}', "--seed", "4"]
    assert main([*arguments, "--out", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    params = Params.from_safetensors(out.read_bytes())
    assert params.manifest.num_values == 64 * 5 + 5 + 5 * 10 + 10
    assert said["metric"] == "accuracy"
    assert said["manifest"]["tensors"][0] == {
        "name": "0.weight",
        "shape": [5, 64],
        "dtype": "float32",
    }
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--task", "nothing"], 78, "there are: arrays"),
        (["--task", "digits", "--options", '{"depth": 5}'], 78, "it takes model, hidden"),
        (["--task", "x", "--file", "/nowhere/t.py"], 78, "cannot read the task file"),
        (["--task", "digits", "--metric", "rmse"], 78, "cannot be measured by rmse"),
    ],
)
def test_main_refuses_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments, status: int, said: str
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "w")]) == status
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_main_says_when_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--task", "digits", "--out", str(tmp_path / "no" / "w")]) == 73
    assert "cannot write" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["--task", "digits", "--options", "{", "--out", "w"])
    assert stopped.value.code == 2


class Adapted(Small):
    """Its first layer is frozen, and drawn at random."""

    def model(self) -> nn.Module:
        module = super().model()
        next(module.children()).requires_grad_(False)
        return module


def test_what_is_frozen_is_the_same_everywhere_whatever_the_seed_and_is_never_trained() -> None:
    task, data, spec = Adapted(), examples(), TrainingSpec(epochs=2, weight_decay=0.1)
    one, other = initial(task, seed=1), initial(task, seed=2)
    assert one.manifest == other.manifest
    assert one.manifest.frozen
    assert one.vector_D.tobytes() != other.vector_D.tobytes()
    torch.rand(7)
    bench = Workbench(task)
    first = bench.train(one, data, spec, seed=(1, 2, 3)).update_D
    assert bench.train(one, data, spec, seed=(1, 2, 3)).update_D.tobytes() == first.tobytes()
    assert bench.manifest == one.manifest
    torch.rand(7)
    answers = list(predict(task, one, data.x))
    torch.rand(7)
    assert list(predict(task, one, data.x)) == answers


def test_another_frozen_part_is_refused_before_training() -> None:
    params = initial(Adapted(), seed=1)
    other = Params(structs.replace(params.manifest, frozen="0" * 64), params.vector_D)
    with pytest.raises(ParamsError, match="use the base model that its coordinator names"):
        train_locally(Adapted(), other, examples(), TrainingSpec(), seed=(1, 2, 3))
