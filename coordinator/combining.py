"""Performs `Aggregate`: opens the files, combines, and puts the new model on disk. In a thread.

Also removes models that nobody needs any more. The initial model, the newest ones and those that
the federation wants to keep (the best, the result) stay.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from coordinator.aggregation import CannotCombineError, Recipe, VectorFile, combine
from coordinator.checkpoints import CheckpointWriter, checkpoint_name, open_checkpoint
from coordinator.files import DISK, Files
from coordinator.spool import Promise, Spool
from fedtui.rounds.machine import Aggregate, Aggregated
from fedtui.wire.messages import ModelRef


@dataclass(frozen=True, slots=True)
class Combiner:
    """Where models and updates lie, and how updates become a model."""

    checkpoints: Path
    spool: Spool
    recipe: Recipe
    files: Files = DISK

    def run(self, effect: Aggregate, *, verify: bool = False) -> Aggregated:
        """The new model on disk, not yet committed. Slow.

        With `verify` every update is read once more and compared with its digest: after a restart.

        Raises:
            CannotCombineError: these updates give no usable model.
            StoreUnavailable: the disk is full; nothing is left behind.
            StoreFatal: the disk fails.
        """
        if verify:
            self._check(effect)
        manifest = self.recipe.manifest
        num_values = manifest.num_values
        with ExitStack() as stack:
            name = checkpoint_name(effect.base.round)
            base = stack.enter_context(
                open_checkpoint(self.checkpoints / name, manifest, files=self.files)
            )
            updates = []
            for part in effect.contributions:
                update = self.spool.open(effect.round, effect.attempt, part.node)
                stack.enter_context(update)
                values = VectorFile(update.handle, num_values, files=self.files)
                updates.append((values, part.weight))
            writer = CheckpointWriter(self.checkpoints, effect.round, manifest, files=self.files)
            stack.callback(writer.abandon)
            start = VectorFile(base.handle, num_values, base.data_offset, self.files)
            combine(self.recipe, start, updates, writer.write)
            done = writer.finish()
        model = ModelRef(round=effect.round, digest=done.digest, num_bytes=done.num_bytes)
        return Aggregated(effect.round, effect.attempt, model, done.name)

    def _check(self, effect: Aggregate) -> None:
        num_bytes = self.recipe.manifest.num_bytes
        for part in effect.contributions:
            promise = Promise(effect.round, effect.attempt, part.node, num_bytes, part.digest)
            if not self.spool.verify(promise):
                raise CannotCombineError("an update was damaged on this coordinator's disk")

    def prune(self, newest: int, *, keep: int, milestones: frozenset[int]) -> None:
        """Remove the models that are neither among the `keep` newest rounds nor milestones."""
        staying = {checkpoint_name(round_) for round_ in milestones | {0}}
        staying |= {checkpoint_name(round_) for round_ in range(newest - keep + 1, newest + 1)}
        for name in self.files.names(self.checkpoints):
            if name.startswith("model-") and name.endswith(".safetensors"):
                self._remove_unless(name, staying, newest)

    def _remove_unless(self, name: str, staying: set[str], newest: int) -> None:
        if name not in staying and name <= checkpoint_name(newest):
            self.files.remove(self.checkpoints / name)
