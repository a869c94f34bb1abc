import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from fedtui.learning import metrics
from fedtui.learning.data import DataError, DataSource, Examples
from fedtui.learning.language import LanguageModel, NextToken
from fedtui.learning.params import Params
from fedtui.learning.task import Batch, load
from fedtui.learning.text import Characters
from fedtui.learning.trainer import evaluate, initial, predict, train_locally
from fedtui.learning.training import TrainingSpec

torch.set_num_threads(1)
TEXT = "abcdefg " * 60


def model(**sizes: int) -> LanguageModel:
    whole = {"length": 8, "embedding": 8, "hidden": 16, "continue_by": 9} | sizes
    return LanguageModel(Characters("abcdefg "), **whole)


def test_it_learns_a_text_and_goes_on_with_it(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(TEXT)
    task = model()
    examples = load(task, DataSource(path=str(tmp_path)))
    params = initial(task, seed=1)
    before = metrics.score("perplexity", evaluate(task, params, examples))
    assert 6 < before < 13, "it begins near a guess among nine tokens"
    spec = TrainingSpec(epochs=30, batch_size=8, learning_rate=0.02, optimizer="adam")
    update = train_locally(task, params, examples, spec, seed=(1, 1, 0)).update_D
    after = Params(params.manifest, params.vector_D + update)
    assert metrics.score("perplexity", evaluate(task, after, examples)) < 1.1
    (tmp_path / "lines.txt").write_text("abcd\nfg abc\n")
    x = task.inputs(DataSource(path=str(tmp_path / "lines.txt")))
    answers = [answer["prediction"] for answer in predict(task, after, x)]
    assert answers == ["efg abcde", "defg abcd"]


def test_every_token_counts() -> None:
    task = model()
    torch.manual_seed(1)
    net = task.model()
    x, y = torch.tensor([[1, 2], [3, 4], [5, 6]]), torch.tensor([[2, 3], [4, 5], [6, 7]])
    with torch.no_grad():
        losses = functional.cross_entropy(net(x).reshape(6, -1), y.reshape(6), reduction="none")
        sums = task.metrics(net, Batch(x, y))
        assert float(task.loss(net, Batch(x, y))) == pytest.approx(float(losses.mean()), rel=1e-5)
    assert sums["examples"] == 6
    assert metrics.score("perplexity", sums) == pytest.approx(math.exp(losses.mean()), rel=1e-5)


def test_what_it_says_does_not_depend_on_what_comes_later() -> None:
    torch.manual_seed(1)
    net = NextToken(5, 4, 6)
    one, other = net(torch.tensor([[1, 2, 3]])), net(torch.tensor([[1, 2, 4]]))
    assert torch.equal(one[0, :2], other[0, :2])
    assert not torch.equal(one[0, 2], other[0, 2])


@pytest.mark.parametrize("sizes", [{"length": 0}, {"hidden": 5000}, {"embedding": "8"}])
def test_sizes_are_checked(sizes: dict) -> None:
    with pytest.raises(ValueError, match="expected a whole number from 1 to 4096"):
        model(**sizes)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3)), "windows of tokens"),
        (np.zeros((2, 3), int), np.zeros(2, int), "windows of tokens"),
        (np.full((2, 3), 9), np.zeros((2, 3), int), "0 to 8, not 0 to 9"),
        (np.zeros((2, 3), int), np.full((2, 3), -1), "0 to 8, not -1 to 0"),
    ],
)
def test_what_are_no_tokens_is_refused(x, y, says: str) -> None:
    with pytest.raises(DataError, match=says):
        model().check(Examples(x, y))
