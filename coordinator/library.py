"""What nodes may fetch: the plan with the model's manifest, and the few models that rounds need.

Models are served straight from their checkpoint files, or, to who holds an older one, as the
changes that lead from that to the newest, if all of them are here and shorter than the model. A
file that is deleted meanwhile stays readable until the last stream from it ends.
"""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from weakref import WeakValueDictionary

from coordinator.changefiles import ChangeFile, open_change
from coordinator.checkpoints import CheckpointReader, open_checkpoint
from coordinator.files import DISK, StoreError
from fedtui.learning.params import Manifest
from fedtui.rounds.plan import Plan
from fedtui.wire.bulk import Source
from fedtui.wire.codec import canonical
from fedtui.wire.messages import Open, Terms

MAX_CHAIN = 32
"""Changes that are sent one after the other: a node makes every model between."""


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


class ChangeSource:
    """A stream from change files, one after the other, the oldest first; closed as ModelSource."""

    def __init__(self, chain: Sequence[ChangeFile]) -> None:
        self._chain = tuple(chain)
        self.num_bytes = sum(change.num_bytes for change in chain)
        weakref.finalize(self, _close, self._chain)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset`; OSError if the disk fails."""
        data, start = b"", 0
        for change in self._chain:
            at = offset + len(data) - start
            if len(data) < size and 0 <= at < change.num_bytes:
                wanted = min(size - len(data), change.num_bytes - at)
                try:
                    data += DISK.pread(change.handle, wanted, at)
                except StoreError as error:
                    raise OSError(str(error)) from error
            start += change.num_bytes
        if len(data) != size:
            raise OSError("the file of a model's change was cut short")
        return data


def _close(chain: Sequence[ChangeFile]) -> None:
    for change in chain:
        DISK.close(change.handle)


class Library:
    """Knows which models are served now; `serve` changes that."""

    def __init__(self, folder: Path, plan: Plan, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._terms = BytesSource(canonical(Terms(plan=canonical(plan), manifest=manifest)))
        self._terms_digest = blake2b(self._terms.data, digest_size=32).digest()
        self._names: dict[bytes, str] = {}
        self._open: dict[bytes, ModelSource] = {}
        self._changes: dict[bytes, str] = {}
        self._chains: WeakValueDictionary[tuple[bytes, bytes], ChangeSource] = (
            WeakValueDictionary()
        )

    @property
    def num_terms_bytes(self) -> int:
        """Length of what `Fetch(plan)` brings."""
        return self._terms.num_bytes

    def serve(
        self, names: Mapping[bytes, str], changes: Mapping[bytes, str] = MappingProxyType({})
    ) -> None:
        """From now on exactly these models, by digest, each with its file's name.

        `changes` names the files of the changes that lead to models, some of which may be gone.
        """
        self._names = dict(names)
        self._changes = dict(changes)
        self._open = {d: source for d, source in self._open.items() if d in self._names}

    def plan(self) -> tuple[Open, Source]:
        """The terms as a stream."""
        opening = Open(
            stream=0, kind="plan", num_bytes=self._terms.num_bytes, digest=self._terms_digest
        )
        return opening, self._terms

    def model(self, digest: bytes, have: bytes | None = None) -> tuple[Open, Source] | None:
        """A model as a stream, or the changes from `have` to it; None if it is not served.

        Raises:
            StoreError: its file cannot be opened.
        """
        name = self._names.get(digest)
        if name is None:
            return None
        if have is not None and (change := self._change(digest, have)) is not None:
            opening = Open(stream=0, kind="change", num_bytes=change.num_bytes, digest=digest)
            return opening, change
        source = self._open.get(digest)
        if source is None:
            source = ModelSource(open_checkpoint(self._folder / name, self._manifest))
            self._open[digest] = source
        opening = Open(stream=0, kind="model", num_bytes=source.num_bytes, digest=digest)
        return opening, source

    def _change(self, digest: bytes, have: bytes) -> ChangeSource | None:
        """What leads from the model `have` to this one, if it is shorter than the model.

        Whoever fetches the same at the same time shares its open files.
        """
        if (known := self._chains.get((digest, have))) is not None:
            return known
        wanted = digest
        chain: list[ChangeFile] = []
        left = self._manifest.num_bytes
        while digest != have:
            name = self._changes.get(digest)
            link = open_change(self._folder / name, digest) if name is not None else None
            if link is not None:
                chain.insert(0, link)
                left -= link.num_bytes
                digest = link.base
            if link is None or left <= 0 or len(chain) > MAX_CHAIN:
                _close(chain)
                return None
        if not chain:
            return None
        source = self._chains[wanted, have] = ChangeSource(chain)
        return source
