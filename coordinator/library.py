"""What nodes may fetch: the plan with the model's manifest, and the few models that rounds need.

Models are served straight from their checkpoint files. A file that is deleted meanwhile stays
readable until the last stream from it ends.
"""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from coordinator.checkpoints import CheckpointReader, open_checkpoint
from coordinator.files import StoreError
from fedtui.learning.params import Manifest
from fedtui.rounds.plan import Plan
from fedtui.wire.bulk import Source
from fedtui.wire.codec import canonical
from fedtui.wire.messages import Open, Terms


@dataclass(frozen=True, slots=True)
class BytesSource:
    """A stream from memory."""

    data: bytes

    @property
    def num_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset`."""
        return self.data[offset : offset + size]


class ModelSource:
    """A stream from a checkpoint file; the file is closed when nobody holds this any more."""

    def __init__(self, reader: CheckpointReader) -> None:
        self._reader = reader
        self.num_bytes = reader.num_bytes
        weakref.finalize(self, reader.close)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset`; OSError if the disk fails."""
        try:
            data = self._reader.read(offset, size)
        except StoreError as error:
            raise OSError(str(error)) from error
        if len(data) != size:
            raise OSError("the model's file was cut short")
        return data


class Library:
    """Knows which models are served now; `serve` changes that."""

    def __init__(self, folder: Path, plan: Plan, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._terms = BytesSource(canonical(Terms(plan=canonical(plan), manifest=manifest)))
        self._terms_digest = blake2b(self._terms.data, digest_size=32).digest()
        self._names: dict[bytes, str] = {}
        self._open: dict[bytes, ModelSource] = {}

    @property
    def num_terms_bytes(self) -> int:
        """Length of what `Fetch(plan)` brings."""
        return self._terms.num_bytes

    def serve(self, names: Mapping[bytes, str]) -> None:
        """From now on exactly these models, by digest, each with its file's name."""
        self._names = dict(names)
        self._open = {d: source for d, source in self._open.items() if d in self._names}

    def plan(self) -> tuple[Open, Source]:
        """The terms as a stream."""
        opening = Open(
            stream=0, kind="plan", num_bytes=self._terms.num_bytes, digest=self._terms_digest
        )
        return opening, self._terms

    def model(self, digest: bytes) -> tuple[Open, Source] | None:
        """A model as a stream; None if it is not served (any more).

        Raises:
            StoreError: its file cannot be opened.
        """
        name = self._names.get(digest)
        if name is None:
            return None
        source = self._open.get(digest)
        if source is None:
            source = ModelSource(open_checkpoint(self._folder / name, self._manifest))
            self._open[digest] = source
        opening = Open(stream=0, kind="model", num_bytes=source.num_bytes, digest=digest)
        return opening, source
