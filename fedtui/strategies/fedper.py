"""FedPer and FedBN: some tensors stay with each node, and the others are averaged.

FedPer (Arivazhagan et al. 2019, arXiv:1912.00818) keeps a model's last layers on the node, FedBN
(Li et al. 2021, arXiv:2102.07623) its batch normalisation. They are one rule; `stays` names the
tensors. For those, with own_k what node k holds (at first the global values):

    node          begins with own_k in these tensors, and trains all of them
                  own_k <- their trained values; its update has exact zeros there
    coordinator   averages; these tensors of the global model stay what they were at first

Each node measures and uses the global model with its own tensors put in. The traps: a node that
never trained has the first values there, so a global model alone is of no use; a model whose
batch normalisation stays needs its running means and variances named, too; `update_clip` cuts by
the length of the whole change, what stays included.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

from fedtui.learning.params import MAX_NAME_BYTES, Params
from fedtui.strategies.base import Finished, Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedtui.learning.params import Manifest, Vector
    from fedtui.strategies.base import Local

_MOST_PATTERNS = 64
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class FedPer(Strategy):
    """`stays`: patterns of the names of tensors that stay local, such as `head.*` or `*.bn*`."""

    held: ClassVar[tuple[str, ...]] = ("own",)
    wants: ClassVar[frozenset[str]] = frozenset({"own figures"})

    stays: Sequence[str] = ("head.*",)

    def __post_init__(self) -> None:
        given: object = self.stays
        if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
            raise TypeError(f'stays is {given!r:.80}, expected a list such as ["head.*"]')
        if not 1 <= len(given) <= _MOST_PATTERNS:
            raise ValueError(f"stays has {len(given)} patterns, expected 1 to {_MOST_PATTERNS}")
        if not all(1 <= len(one) <= MAX_NAME_BYTES for one in given):
            raise ValueError(f"a pattern of stays must have 1 to {MAX_NAME_BYTES} characters")
        object.__setattr__(self, "stays", tuple(given))  # as a plan from the wire gives a list

    def held_at_first(self, name: str, model: Params) -> Vector:  # noqa: ARG002 - there is one
        return model.vector_D

    def misfit(self, manifest: Manifest) -> str:
        names = [spec.name for spec in manifest.tensors]
        idle = [one for one in self.stays if not any(fnmatchcase(name, one) for name in names)]
        if idle:
            wrong = f"no tensor of the model is named like {', '.join(map(repr, idle))}"
        elif len(self.staying(manifest)) == len(names):
            wrong = "all tensors of the model would stay, and nothing would be learned together"
        else:
            return ""
        more = ", ..." if len(names) > _MOST_SHOWN else ""
        listed = ", ".join(names[:_MOST_SHOWN]) + more
        return f"[strategy.options] stays: {wrong}; name some of them (there are: {listed})"

    def staying(self, manifest: Manifest) -> tuple[str, ...]:
        names = (spec.name for spec in manifest.tensors)
        return tuple(name for name in names if any(fnmatchcase(name, one) for one in self.stays))

    def begin(self, model: Params, held: Mapping[str, Vector]) -> Params:
        vector_D = model.vector_D.copy()
        for place in self._places(model.manifest):
            vector_D[place] = held["own"][place]
        return Params(model.manifest, vector_D)

    def finish(self, local: Local) -> Finished:
        update_D = local.update_D.copy()
        for place in self._places(local.began.manifest):
            update_D[place] = 0
        own_D = local.began.vector_D + local.update_D  # whole: `stays` may be changed
        return Finished(update_D=update_D, held={"own": own_D})

    def _places(self, manifest: Manifest) -> list[slice]:
        """Where in the flat vector the tensors lie that stay."""
        staying = set(self.staying(manifest))
        return [place for spec, place in manifest.slices() if spec.name in staying]


build = FedPer
