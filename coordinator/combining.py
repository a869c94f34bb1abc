"""Performs `Aggregate`: opens the files, combines, and puts the new model on disk. In a thread.

Visible updates go through fedtui/combining/visible.py, masked ones through masked.py. Noise that
the plan wants of the coordinator has fresh entropy each time.

Also removes models that nobody needs any more. The initial model, the newest ones and those that
the federation wants to keep (the best, the result) stay.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from coordinator import changefiles
from coordinator.changefiles import ChangeWriter
from coordinator.checkpoints import CheckpointWriter, checkpoint_name, open_checkpoint
from coordinator.files import DISK, Files
from coordinator.groupfiles import GroupFiles
from coordinator.spool import Promise, Spool
from coordinator.statefiles import Shape, StateWriter, leftovers, open_state, state_name
from coordinator.vectorfiles import VectorFile, WordFile
from fedtui.combining.ageing import aged
from fedtui.combining.changing import Changing, Rounding
from fedtui.combining.grouped import Covered, uncover
from fedtui.combining.looking import Look
from fedtui.combining.masked import Unmasked
from fedtui.combining.restoring import restored
from fedtui.combining.visible import (
    CannotCombineError,
    Recipe,
    Sink,
    Start,
    cohort_of,
    combine,
)
from fedtui.rounds import compression, guiding, hiding, masking
from fedtui.rounds.figures import figures_of
from fedtui.rounds.machine import Aggregate, Aggregated
from fedtui.rounds.plan import Plan
from fedtui.rounds.shrinking import Spot
from fedtui.wire.messages import ModelRef

_SEED_BYTES = 32


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
        manifest, folder, files = self.recipe.manifest, self.checkpoints, self.files
        shape = Shape(self.recipe.strategy, self.recipe.num_values)
        with ExitStack() as stack:
            name = checkpoint_name(effect.base.round)
            base = stack.enter_context(open_checkpoint(folder / name, manifest, files=files))
            kept = open_state(folder, effect.base.round, effect.base.digest, shape, files=files)
            stack.callback(kept.close)
            handles = []
            for part in effect.contributions:
                update = self.spool.open(effect.round, effect.attempt, part.node)
                handles.append(stack.enter_context(update).handle)
            writer = CheckpointWriter(folder, effect.round, manifest, files=files)
            stack.callback(writer.abandon)
            state = StateWriter(folder, effect.round, shape, files=files)
            stack.callback(state.abandon)
            values = VectorFile(base.handle, manifest.num_values, base.data_offset, files)
            hides = partial(hiding.at_coordinator, self.plan, seed=os.urandom(_SEED_BYTES))
            start = Start(values, kept, effect.round, hides)
            bits, change_bytes = self.plan.traffic.model_bits, 0
            if bits is None:
                seen = self._combine(effect, start, handles, Sink(writer.write, state.keep))
                done = writer.finish()
            else:
                change = ChangeWriter(folder, effect.round, files=files)
                stack.callback(change.abandon)
                changing = Changing(
                    manifest,
                    values,
                    effect.base.digest,
                    rounding=Rounding(bits, self.plan.seed, effect.round),
                    write_model=writer.write,
                    write_change=change.write,
                )
                seen = self._combine(effect, start, handles, Sink(changing.write, state.keep))
                changing.finish()
                change_bytes = changing.num_bytes
                done = writer.finish()
                change.finish(done.digest)
            state.finish(done.digest)
        model = ModelRef(round=effect.round, digest=done.digest, num_bytes=done.num_bytes)
        made = Aggregated(
            effect.round, effect.attempt, model, done.name, change_bytes=change_bytes
        )
        if isinstance(seen, Unmasked):
            return replace(made, sums=seen.sums, liars=seen.liars, groups=seen.groups)
        return replace(
            made, figures=figures_of([part.node for part in effect.contributions], seen)
        )

    def _combine(
        self,
        effect: Aggregate,
        start: Start,
        handles: Sequence[int],
        sink: Sink,
    ) -> Unmasked | tuple[Look, ...]:
        """Write the model, and return what can be seen of the updates, or of their masked sum."""
        recipe, files = self.recipe, self.files
        if effect.opener is not None:
            layout = masking.encoding(self.plan, recipe.manifest.num_values, "update")
            vectors = {
                part.node: WordFile(handle, layout, files)
                for part, handle in zip(effect.contributions, handles, strict=True)
            }
            covered = Covered(vectors, effect.opener)
            with GroupFiles(self.checkpoints, files) as room:
                return uncover(recipe, self.plan, start, covered, sink, room)
        num_values = recipe.manifest.num_values
        chain = compression.chain(self.plan, num_values)
        spot, num_sent = Spot(self.plan.seed, effect.round), chain.num_sent(num_values)
        files_of = (VectorFile(handle, num_sent, files=files) for handle in handles)
        values = [restored(one, chain, spot, num_values) for one in files_of]
        parts = effect.contributions
        updates = [
            (aged(value, recipe.strategy, part.scalars), part.weight)
            for value, part in zip(values, parts, strict=True)
        ]
        about = cohort_of(recipe, [(part.scalars, part.weight) for part in parts])
        guide = guiding.place(self.plan, [part.node for part in parts])
        return combine(recipe, start, updates, sink, about, guide)

    def _check(self, effect: Aggregate) -> None:
        num_bytes = compression.update_bytes(self.plan, self.recipe.manifest.num_values)
        for part in effect.contributions:
            promise = Promise(effect.round, effect.attempt, part.node, num_bytes, part.digest)
            if not self.spool.verify(promise):
                raise CannotCombineError("an update was damaged on this coordinator's disk")

    def prune(
        self, newest: int, *, bases: frozenset[int], keep: int, milestones: frozenset[int]
    ) -> None:
        """Remove the models that are neither among the `keep` newest rounds nor milestones.

        The next round may start from the model after each of `bases`.
        """
        staying = {checkpoint_name(round_) for round_ in milestones | {0}}
        staying |= {checkpoint_name(round_) for round_ in range(newest - keep + 1, newest + 1)}
        names = self.files.names(self.checkpoints)
        for name in leftovers([n for n in names if n <= state_name(newest)], newest, bases):
            self.files.remove(self.checkpoints / name)
        for name in changefiles.leftovers(names, newest, keep=keep):
            self.files.remove(self.checkpoints / name)
        for name in names:
            if name.startswith("model-") and name.endswith(".safetensors"):
                self._remove_unless(name, staying, newest)

    def _remove_unless(self, name: str, staying: set[str], newest: int) -> None:
        if name not in staying and name <= checkpoint_name(newest):
            self.files.remove(self.checkpoints / name)
