"""Performs `Aggregate`: opens the files, combines, and puts the new model on disk. In a thread.

Visible updates go through fedtui/combining/visible.py, masked ones through masked.py.

Also removes models that nobody needs any more. The initial model, the newest ones and those that
the federation wants to keep (the best, the result) stay.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from coordinator.checkpoints import CheckpointWriter, checkpoint_name, open_checkpoint
from coordinator.files import DISK, Files
from coordinator.spool import Promise, Spool
from coordinator.vectorfiles import VectorFile, WordFile
from fedtui.combining.masked import Unmasked, unmask
from fedtui.combining.visible import CannotCombineError, Recipe, combine
from fedtui.rounds import masking
from fedtui.rounds.machine import Aggregate, Aggregated
from fedtui.rounds.plan import Plan
from fedtui.wire.messages import ModelRef


@dataclass(frozen=True, slots=True)
class Combiner:
    """Where models and updates lie, and how updates become a model; masked ones need the plan."""

    checkpoints: Path
    spool: Spool
    recipe: Recipe
    plan: Plan
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
        with ExitStack() as stack:
            name = checkpoint_name(effect.base.round)
            base = stack.enter_context(
                open_checkpoint(self.checkpoints / name, manifest, files=self.files)
            )
            handles = []
            for part in effect.contributions:
                update = self.spool.open(effect.round, effect.attempt, part.node)
                handles.append(stack.enter_context(update).handle)
            writer = CheckpointWriter(self.checkpoints, effect.round, manifest, files=self.files)
            stack.callback(writer.abandon)
            start = VectorFile(base.handle, manifest.num_values, base.data_offset, self.files)
            unmasked = self._combine(effect, start, handles, writer.write)
            done = writer.finish()
        model = ModelRef(round=effect.round, digest=done.digest, num_bytes=done.num_bytes)
        if unmasked is None:
            return Aggregated(effect.round, effect.attempt, model, done.name)
        return Aggregated(
            effect.round, effect.attempt, model, done.name, unmasked.sums, unmasked.liars
        )

    def _combine(
        self,
        effect: Aggregate,
        start: VectorFile,
        handles: Sequence[int],
        write: Callable[[memoryview], object],
    ) -> Unmasked | None:
        """Write the model. Of masked updates, return what their sum says beside it."""
        recipe, files = self.recipe, self.files
        if effect.opener is not None:
            layout = masking.encoding(self.plan, recipe.manifest.num_values, "update")
            vectors = [WordFile(handle, layout, files) for handle in handles]
            return unmask(recipe, self.plan, start, vectors, effect.opener, write)
        values = [VectorFile(h, recipe.manifest.num_values, files=files) for h in handles]
        weights = [part.weight for part in effect.contributions]
        combine(recipe, start, list(zip(values, weights, strict=True)), write)
        return None

    def _check(self, effect: Aggregate) -> None:
        num_bytes = self.recipe.manifest.num_bytes
        if effect.opener is not None:
            num_values = self.recipe.manifest.num_values
            num_bytes = masking.encoding(self.plan, num_values, "update").num_bytes
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
