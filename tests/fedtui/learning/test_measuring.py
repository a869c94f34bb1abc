"""Sums of several nodes give what scikit-learn computes on all their examples together."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from fedtui.learning import measuring, metrics

seeds = st.integers(0, 2**32 - 1)


def pooled(metric: str, logits: torch.Tensor, y: torch.Tensor, how=measuring.of_classes) -> float:
    """The score of three nodes of unequal size, each of which sends its sums only."""
    total: dict[str, float] = {}
    cuts = (0, len(y) // 7, len(y) // 2, len(y))
    for start, stop in itertools.pairwise(cuts):
        if stop > start:
            total = metrics.add(total, how(metric, logits[start:stop], y[start:stop]))
    assert tuple(total) == metrics.sums_for(metric)
    assert metrics.possible(metric, total)
    return metrics.score(metric, total)


def drawn(seed: int, num: int, num_classes: int, spread: float = 2.0):
    """Logits that know something, and imbalanced classes sorted so that nodes differ in them."""
    rng = np.random.default_rng(seed)
    y = np.sort(rng.choice(num_classes, num, p=rng.dirichlet(np.ones(num_classes))))
    logits = spread * (rng.standard_normal((num, num_classes)) + np.eye(num_classes)[y])
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(y)


@settings(max_examples=25)
@given(seed=seeds, num=st.integers(2, 200), num_classes=st.integers(2, 7))
def test_balanced_accuracy_and_f1_are_those_of_scikit_learn(seed, num, num_classes) -> None:
    logits, y = drawn(seed, num, num_classes)
    answers = logits.argmax(1).numpy()
    present = np.unique(y)  # scikit-learn warns of others, and leaves them out, too
    recalls = reference.recall_score(y, answers, labels=present, average=None)
    assert pooled("balanced_accuracy", logits, y) == pytest.approx(recalls.mean())
    f1 = reference.f1_score(y, answers, average="macro")
    assert pooled("macro_f1", logits, y) == pytest.approx(f1)


def test_balanced_accuracy_is_that_of_its_own_function() -> None:
    logits, y = drawn(1, 300, 4)
    expected = reference.balanced_accuracy_score(y, logits.argmax(1))
    assert pooled("balanced_accuracy", logits, y) == pytest.approx(expected)
    assert pooled("accuracy", logits, y) == pytest.approx(
        reference.accuracy_score(y, logits.argmax(1))
    )


@settings(max_examples=25)
@given(seed=seeds, num_classes=st.integers(2, 5))
def test_auroc_is_that_of_scikit_learn_up_to_the_width_of_a_step(seed, num_classes) -> None:
    logits, y = drawn(seed, 400, num_classes)
    if len(np.unique(y)) < 2:
        return
    truth = np.eye(num_classes)[y]
    if num_classes == 2:
        expected = reference.roc_auc_score(y, (logits[:, 1] - logits[:, 0]))
    else:
        expected = reference.roc_auc_score(truth, logits.softmax(1), average="micro")
    assert pooled("auroc", logits, y) == pytest.approx(expected, abs=0.02)


def test_auroc_is_exact_on_scores_that_steps_keep_apart() -> None:
    rng = np.random.default_rng(1)
    score = rng.integers(-40, 40, 500) / 4 + 0.1  # one step each, with ties
    y = (score + 4 * rng.standard_normal(500) > 1).astype(int)
    logits = torch.tensor(np.stack([np.zeros(500), score], 1), dtype=torch.float32)
    expected = reference.roc_auc_score(y, score)
    assert pooled("auroc", logits, torch.tensor(y)) == pytest.approx(expected, abs=1e-12)


def test_auroc_of_one_class_is_no_figure() -> None:
    logits, _ = drawn(1, 50, 2)
    assert math.isnan(pooled("auroc", logits, torch.zeros(50, dtype=torch.int64)))


@settings(max_examples=25)
@given(seed=seeds)
def test_calibration_error_is_that_of_scikit_learns_curve(seed: int) -> None:
    logits, y = drawn(seed, 300, 3)
    confidence, answers = (a.numpy() for a in logits.double().softmax(1).max(1))
    right = answers == y.numpy()
    shares, means = calibration_curve(right, confidence, n_bins=metrics.NUM_BINS)
    counts = np.histogram(confidence, np.linspace(0, 1, metrics.NUM_BINS + 1))[0]
    weights = counts[counts > 0] / len(y)
    expected = float((np.abs(shares - means) * weights).sum())
    assert pooled("calibration_error", logits, y) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=25)
@given(seed=seeds, num=st.integers(2, 100), num_labels=st.integers(1, 5))
def test_several_labels_are_judged_as_by_scikit_learn(seed, num, num_labels) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.random((num, num_labels)) < 0.3).astype(np.float32)
    logits = 2 * rng.standard_normal((num, num_labels)) + 3 * y - 1.5
    ours = torch.tensor(logits, dtype=torch.float32), torch.tensor(y)
    answers = logits > 0
    occur = (y + answers).any(0)  # scikit-learn counts a label that never occurs as 0
    if occur.any():
        f1 = reference.f1_score(y[:, occur], answers[:, occur], average="macro")
        if occur.sum() == 1:
            f1 = reference.f1_score(y[:, occur][:, 0], answers[:, occur][:, 0])
        assert pooled("macro_f1", *ours, how=measuring.of_labels) == pytest.approx(f1)
    if 0 < y.sum() < y.size:
        steps = np.floor(ours[0].double().numpy().clip(-11.99, 11.99).ravel() * 4)
        expected = reference.roc_auc_score(y.ravel(), steps)
        got = pooled("auroc", *ours, how=measuring.of_labels)
        assert got == pytest.approx(expected, abs=1e-9)
    loss = reference.log_loss(y.ravel(), 1 / (1 + np.exp(-logits.ravel())), labels=[0, 1])
    assert pooled("loss", *ours, how=measuring.of_labels) == pytest.approx(loss, rel=1e-4)


def test_more_classes_than_are_counted_are_refused() -> None:
    logits, y = torch.zeros(3, 65), torch.tensor([0, 1, 64])
    for metric in ("balanced_accuracy", "macro_f1", "auroc"):
        with pytest.raises(ValueError, match="at most 64 classes and there are 65"):
            measuring.of_classes(metric, logits, y)
    assert measuring.of_classes("accuracy", logits, y)["correct"] == 1.0
