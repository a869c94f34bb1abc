"""Language models: a small recurrent network that learns the next token of a text.

Needs torch, so only tasks import this. A task is a vocabulary (text.py) and sizes; every token of
a window is an example for the metric: perplexity is exp of the mean loss per token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fedtui.learning import text
from fedtui.learning.data import DataError
from fedtui.learning.metrics import sums_for
from fedtui.learning.objectives import Objective

if TYPE_CHECKING:
    from torch import Tensor

    from fedtui.learning.data import Array, DataSource, Examples
    from fedtui.learning.task import Batch


class NextToken(nn.Module):
    """int64 (b, t) -> logits (b, t, num_tokens): an embedding, a GRU, a linear layer."""

    def __init__(self, num_tokens: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, embedding)
        self.recurrent = nn.GRU(embedding, hidden, batch_first=True)
        self.output = nn.Linear(hidden, num_tokens)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.recurrent(self.embedding(x))
        return cast("Tensor", self.output(states))


class LanguageModel(Objective):
    """`length` tokens a window; `continue_by` tokens are predicted for a line of a file.

    Raises ValueError for sizes out of their range.
    """

    metric = "perplexity"
    measures = ("perplexity", "accuracy", "loss")

    def __init__(
        self,
        vocabulary: text.Vocabulary,
        *,
        length: int,
        embedding: int,
        hidden: int,
        continue_by: int,
    ) -> None:
        sizes = {"length": length, "embedding": embedding, "hidden": hidden}
        for name, size in (sizes | {"continue_by": continue_by}).items():
            if type(size) is not int or not 1 <= size <= 4096:
                raise ValueError(f"{name} is {size!r}, expected a whole number from 1 to 4096")
        self._vocabulary = vocabulary
        self._length = length
        self._embedding = embedding
        self._hidden = hidden
        self._continue_by = continue_by

    def model(self) -> nn.Module:
        return NextToken(self._vocabulary.size, self._embedding, self._hidden)

    def data(self, source: DataSource) -> Examples:
        return text.windows(source, self._vocabulary, self._length)

    def check(self, examples: Examples) -> None:
        """Tokens of the vocabulary, as many targets as inputs."""
        x, y = examples.x, examples.y
        if x.shape != y.shape or x.ndim != 2 or {x.dtype.kind, y.dtype.kind} - {"i"}:
            raise DataError(
                f"inputs and targets are windows of tokens, not {x.shape} and {y.shape}"
            )
        most = int(max(x.max(initial=0), y.max(initial=0)))
        least = int(min(x.min(initial=0), y.min(initial=0)))
        if not 0 <= least <= most < self._vocabulary.size:
            raise DataError(f"tokens are 0 to {self._vocabulary.size - 1}, not {least} to {most}")

    def prepare(self, x: Array) -> Array:
        return x.astype(np.int64, copy=False)

    def inputs(self, source: DataSource) -> Array:
        """Lines of text to go on from."""
        return text.prompts(source, self._vocabulary, self._length)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return functional.cross_entropy(model(batch.x).flatten(0, 1), batch.y.flatten())

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        logits, targets = model(batch.x).flatten(0, 1), batch.y.flatten()
        found = {
            "loss_sum": float(functional.cross_entropy(logits, targets, reduction="sum")),
            "correct": float((logits.argmax(1) == targets).sum()),
            "examples": float(len(targets)),
        }
        return {name: found[name] for name in sums_for(self.metric)}

    def predict(self, model: nn.Module, x: Tensor) -> list[dict[str, str | float]]:
        """The likeliest next token, again and again; an empty line goes on from nothing known."""
        return [{"prediction": self._vocabulary.text(self._continue(model, row))} for row in x]

    def _continue(self, model: nn.Module, row: Tensor) -> list[int]:
        tokens = [int(token) for token in row if token != text.NO_TOKEN] or [text.UNKNOWN]
        start = len(tokens)
        for _ in range(self._continue_by):
            seen = torch.tensor([tokens[-self._length :]])
            tokens.append(int(model(seen)[0, -1].argmax()))
        return tokens[start:]
