"""TrainingSpec: what the plan tells a trainer to do. Free of torch: every part reads it."""

from typing import Annotated, Literal

import msgspec

Precision = Literal["float32", "bfloat16"]


class Adversary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pictures are changed by up to `radius` per pixel, in the unit of prepared inputs.

    `steps` are those of `pgd` (learning/adversarial.py).
    """

    attack: Literal["fgsm", "pgd"]
    radius: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    steps: Annotated[int, msgspec.Meta(ge=1, le=100)] = 7


class TrainingSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Local training in one round: `epochs` passes, or exactly `steps` batches if that is set.

    `clip_norm` bounds each gradient, `update_clip` the whole update (both L2; None is no bound).
    `precision` is the forward pass's (mixed: weights and updates stay float32). A GPU gives equal
    bits for equal inputs if `deterministic`; when its memory is too small for a batch, the batch
    is cut in halves, with the same gradient, or the node refuses. With an `adversary` nodes train
    on pictures that are changed to be hard.
    """

    epochs: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    steps: Annotated[int, msgspec.Meta(ge=1, le=10**6)] | None = None
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=10**6)] = 32
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 0.05
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    clip_norm: Annotated[float, msgspec.Meta(gt=0)] | None = None
    update_clip: Annotated[float, msgspec.Meta(gt=0, le=1e6)] | None = None
    precision: Precision = "float32"
    deterministic: bool = True
    out_of_memory: Literal["halve", "refuse"] = "halve"
    adversary: Adversary | None = None
