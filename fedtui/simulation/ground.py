"""The ground a simulated federation stands on: what is asked, and everybody's data, read once.

`survey` reads and prepares the data and cuts it, as a real node would cut it for itself; every
engine works on the `Ground` that comes out. `save` and `load` share it between processes: arrays
are mapped, so however many read them, they lie in memory once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedtui.learning.data import DataError, DataSource, Examples
from fedtui.learning.loading import load_task
from fedtui.learning.partition import partition
from fedtui.learning.task import FixedUpdate, prepared, read

if TYPE_CHECKING:
    from fedtui.learning.partition import Indices
    from fedtui.learning.task import Task
    from fedtui.rounds.plan import Plan
    from fedtui.simulation.population import Population
    from fedtui.status import Device

_NO_SHARES = np.zeros(0, np.int64)
EVALUATOR = -1
"""The index of the evaluator, which owns the task's test examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that decides what a job gives; it can be pickled, and every worker gets it.

    `attacks` has an attack's name and options for each node that attacks. `task_file` is an own
    task (the plan pins its hash). `num_threads` is torch's per job: results depend on it in their
    last bits, and on `device`.
    """

    plan: Plan
    population: Population
    attacks: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    task_file: str = ""
    num_threads: int = 1
    device: Device = "cpu"

    @property
    def data_seed(self) -> int:
        """What the cut of the data is drawn from: the population's seed, or else the plan's."""
        return self.population.seed_or(self.plan.seed)

    def task(self) -> Task | FixedUpdate:
        """The plan's task, loaded anew. Raises PluginError."""
        section = self.plan.task
        return load_task(
            section.name,
            section.options,
            file=Path(self.task_file) if self.task_file else None,
            sha256=section.sha256 or None,
            metric=section.metric,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Examples of all nodes, who has which of them, and the evaluator's.

    Node i owns rows `order[offsets[i]:offsets[i + 1]]` (ascending int64). `examples.x` is
    prepared, or as the task read it if `is_raw`: then each node prepares its own share. `examples`
    is None for a task without data, `test` where nobody evaluates.
    """

    examples: Examples | None
    test: Examples | None
    order: Indices
    offsets: Indices
    is_raw: bool = False

    @property
    def num_nodes(self) -> int:
        return max(len(self.offsets) - 1, 0)

    def share(self, node: int) -> Indices:
        """The rows of node `node`, a view."""
        return self.order[self.offsets[node] : self.offsets[node + 1]]

    def digest(self) -> bytes:
        """BLAKE2b-256 of everybody's data and of who has which of them."""
        state = blake2b(digest_size=32)
        arrays = [self.order, self.offsets]
        for examples in (self.examples, self.test):
            arrays += [] if examples is None else [examples.x, examples.y]
        for array in arrays:
            state.update(f"{array.dtype.str} {array.shape}".encode())
            state.update(np.ascontiguousarray(array).view(np.uint8).data)
        return state.digest()

    def save(self, folder: Path) -> None:
        """Write the arrays as .npy files into an existing folder, for `load`."""
        named = {"order": self.order, "offsets": self.offsets}
        kinds = (("raw" if self.is_raw else "prepared", self.examples), ("test", self.test))
        for name, examples in kinds:
            if examples is not None:
                named |= {f"{name}_x": examples.x, f"{name}_y": examples.y}
        for name, array in named.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Ground:
        """Map what `save` wrote. Whoever writes to an array changes a copy of his own."""
        raw = _mapped_examples(folder, "raw")
        return cls(
            raw or _mapped_examples(folder, "prepared"),
            _mapped_examples(folder, "test"),
            _mapped(folder / "order.npy"),
            _mapped(folder / "offsets.npy"),
            raw is not None,
        )


def survey(setup: Setup) -> Ground:
    """Read, cut and prepare the data of every node.

    Raises:
        DataError: data that cannot be read, or do not suffice for this split or this plan.
        PluginError: no such task, or options that it does not take.
    """
    task = setup.task()
    if isinstance(task, FixedUpdate):
        return Ground(None, None, _NO_SHARES, _NO_SHARES)
    population = setup.population
    examples = read(task, DataSource(path=population.data))
    shares = partition(
        population.split, examples.y, num_shards=population.nodes, seed=setup.data_seed
    )
    _check_shares(shares, setup)
    test = None
    if setup.plan.evaluation.with_evaluator:
        test = prepared(task, _test_part(task, population.data, examples))
    is_raw = population.shift.name != "none"
    if not is_raw:
        whole = prepared(task, examples)
        is_raw = not _is_by_rows(task, examples, whole, shares[0])
        examples = examples if is_raw else whole
    order = np.concatenate(shares)
    offsets = np.concatenate([[0], np.cumsum([len(share) for share in shares])]).astype(np.int64)
    return Ground(_in_order(examples), test and _in_order(test), order, offsets, is_raw)


def _test_part(task: Task, path: str, train: Examples) -> Examples:
    """What the evaluator measures on. DataError if it is what the nodes train on."""
    test = read(task, DataSource(path=path, part="test"))
    if np.array_equal(test.x, train.x) and np.array_equal(test.y, train.y):
        raise DataError(
            f"[evaluation] with_evaluator: {path or 'the data'} has no test part, so the "
            "evaluator would measure what the nodes train on: give a folder with the folders "
            "train and test, or let the nodes measure on their holdout"
        )
    return test


def _is_by_rows(task: Task, raw: Examples, whole: Examples, share: Indices) -> bool:
    """Whether preparing everything at once gives a node what it would prepare alone."""
    alone = prepared(task, raw.take(share))
    return bool(np.array_equal(whole.x[share], alone.x, equal_nan=alone.x.dtype.kind == "f"))


def _check_shares(shares: list[Indices], setup: Setup) -> None:
    for node, share in enumerate(shares):
        if not len(share):
            raise DataError(
                f"[population] split {setup.population.split!r} gives node {node} no examples"
            )
    if setup.plan.evaluation.held_out and max(map(len, shares)) < 2:
        raise DataError(
            f"[population] each of the {len(shares)} nodes has one example only, so none can be "
            "held out to measure with: use fewer nodes, or an evaluator"
        )


def _in_order(examples: Examples) -> Examples:
    return Examples(np.ascontiguousarray(examples.x), np.ascontiguousarray(examples.y))


def _mapped(path: Path) -> Any:
    """A plain array over a private mapping of the file."""
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))


def _mapped_examples(folder: Path, name: str) -> Examples | None:
    if not (folder / f"{name}_x.npy").exists():
        return None
    return Examples(_mapped(folder / f"{name}_x.npy"), _mapped(folder / f"{name}_y.npy"))
