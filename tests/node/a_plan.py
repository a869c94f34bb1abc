"""What a small federation trains: its keys, its plan, its model and one update, as bytes."""

from hashlib import blake2b

import numpy as np

from fedtui.crypto.keys import Identity
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.plan import FederationSection, Plan, PrivacySection, TaskSection
from fedtui.wire.messages import ModelRef

COORDINATOR = Identity.from_seed(b"c" * 32)
NODE = Identity.from_seed(b"n" * 32)
MANIFEST = Manifest((TensorSpec("weight", (64, 4)), TensorSpec("bias", (4,))))
PLAN = Plan(
    federation=FederationSection(name="clinics"),
    task=TaskSection(name="digits"),
    privacy=PrivacySection(updates="visible"),
)


def digest_of(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def vector_bytes(seed: int) -> bytes:
    values = np.random.default_rng(seed).standard_normal(MANIFEST.num_values)
    return values.astype("<f4").tobytes()


MODEL = vector_bytes(0)
UPDATE = vector_bytes(1)


def model_ref(data: bytes = MODEL, number: int = 0) -> ModelRef:
    return ModelRef(round=number, digest=digest_of(data), num_bytes=len(data))
