"""From the masked vectors of groups to the next model: a rule over the means of the groups.

The sum of each group is unmasked by itself (masked.py), and its mean kept where the caller says,
float32 as an update would be. A group whose mean no honest nodes can have made is left out, with
the reason; the means of the others are combined as visible updates are, by the plan's aggregator.
Masks are made once, whatever the rule, and memory is a few chunks.

Shapes: `_C` is one chunk, of the means of N groups or of their median.

A group's weight is the sum of its nodes' weights, for rules that weigh.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fedtui.combining.masked import MaskedVector, Mean, Unmasked, unmask
from fedtui.combining.restoring import restored
from fedtui.combining.visible import (
    CannotCombineError,
    Recipe,
    Sink,
    Start,
    Values,
    combine,
    unfit,
)
from fedtui.rounds import compression, grouping, masking
from fedtui.rounds.beside import WEIGHT
from fedtui.rounds.plan import Plan
from fedtui.rounds.shrinking import Spot
from fedtui.rounds.sums import training_sums
from fedtui.rounds.suspicion import GroupSeen
from fedtui.secagg.coordinator import Coordinator, LostError
from fedtui.secagg.encoding import EncodingError
from fedtui.secagg.grouped import Grouped
from fedtui.transforms.base import TransformError
from fedtui.wire.tensors import to_bytes


class SpoiltGroupsError(CannotCombineError):
    """Too few groups have a usable sum; `groups` are what was seen of all."""

    def __init__(self, text: str, groups: tuple[GroupSeen, ...]) -> None:
        super().__init__(text)
        self.groups = groups


def groups_of(error: CannotCombineError) -> tuple[GroupSeen, ...]:
    """What an error says of groups."""
    return error.groups if isinstance(error, SpoiltGroupsError) else ()


class Sheet(Protocol):
    """Takes a vector of float32 values as it comes, and gives them back."""

    def write(self, data: memoryview) -> object: ...

    def values(self) -> Values: ...


class Room(Protocol):
    """Where the means of groups are while they are combined."""

    def sheet(self, num_values: int) -> Sheet: ...


@dataclass(frozen=True, slots=True)
class _Group:
    """The mean of a group with what is known beside it."""

    nodes: tuple[bytes, ...]
    update: Values
    scalars: dict[str, float]
    liars: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Covered:
    """The survivors' vectors by node, and what takes their masks away."""

    vectors: Mapping[bytes, MaskedVector]
    opener: Grouped


def uncover(
    recipe: Recipe, plan: Plan, start: Start, covered: Covered, sink: Sink, room: Room
) -> Unmasked:
    """Write the model after the round: `start` and what the sums of the survivors make of it.

    Slow: run it in a thread.

    Raises:
        SpoiltGroupsError: too few groups have a sum that can be opened, and is of honest nodes.
        CannotCombineError: the same of a cohort without groups; or there is no usable model.
    """
    vectors, opener = covered.vectors, covered.opener
    if opener.group:
        return _of_groups(recipe, plan, start, covered, sink, room)
    (half,) = opener.groups.values()
    return unmask(recipe, plan, start, [vectors[n] for n in sorted(vectors)], half, sink)


def _of_groups(
    recipe: Recipe, plan: Plan, start: Start, covered: Covered, sink: Sink, room: Room
) -> Unmasked:
    vectors, opener = covered.vectors, covered.opener
    good: list[_Group] = []
    spoilt: list[GroupSeen] = []
    for half in opener.groups.values():
        nodes = half.ids(half.survivors)
        try:
            good.append(_opened(recipe, plan, start, [vectors[n] for n in nodes], half, room))
        except (LostError, EncodingError, TransformError, OverflowError) as error:
            spoilt.append(GroupSeen(nodes=nodes, reason=str(error)))
    needed = grouping.enough(plan, opener.num_groups)
    if len(good) < needed:
        raise SpoiltGroupsError(
            f"{len(good)} of {opener.num_groups} groups have a usable sum, {needed} are needed: "
            f"{spoilt[0].reason if spoilt else 'the others were lost'}",
            tuple(spoilt),
        )
    names = {name for group in good for name in group.scalars}
    scalars = {name: math.fsum(group.scalars[name] for group in good) for name in names}
    try:
        about = masking.cohort_of(plan, scalars, sum(len(group.nodes) for group in good))
    except EncodingError as error:
        raise CannotCombineError(str(error)) from error
    updates = [(group.update, max(1, round(group.scalars[WEIGHT]))) for group in good]
    looks = combine(recipe, start, updates, sink, about)
    seen = tuple(
        GroupSeen(nodes=group.nodes, length=look.length, cosine=look.cosine or 0.0)
        for group, look in zip(good, looks, strict=True)
    )
    liars = tuple(liar for group in good for liar in group.liars)
    sums = training_sums(scalars) if plan.dp is None else {}
    return Unmasked(sums, liars, seen + tuple(spoilt))


def _opened(
    recipe: Recipe,
    plan: Plan,
    start: Start,
    vectors: Sequence[MaskedVector],
    half: Coordinator,
    room: Room,
) -> _Group:
    """The mean of one group. Raises what says that there is none."""
    unmasking = half.unmasking()
    mean = Mean(recipe, plan, start, vectors, unmasking)
    sheet = room.sheet(mean.layout.num_values)
    with np.errstate(over="ignore"):  # what is too large for float32 is found below
        for parts in mean.as_sent():
            for mean_C in parts:
                sheet.write(to_bytes(mean_C.astype(np.float32)))
    mean.check_length()
    num_values = recipe.manifest.num_values
    spot = Spot(plan.seed, start.round)
    update = restored(sheet.values(), compression.chain(plan, num_values), spot, num_values)
    if why := unfit(update, recipe.manifest):
        raise EncodingError(why)
    nodes = half.ids(half.survivors)
    return _Group(nodes, update, mean.scalars, half.ids(unmasking.liars))
