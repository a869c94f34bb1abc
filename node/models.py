"""The global models on this machine's disk: the last few, by digest, verified before they count.

A model is raw little-endian float32 (fedtui/wire/tensors.py) in `models/<digest>.f32`. While it
arrives it is `<digest>.part`, which the next session goes on with; whole, it is checked, synced
and renamed. (As a change of a model that is here it comes through changes.py.) `certified.json`
names those that a Result or Ended of the coordinator vouched for, and whose federation they are
of: in another one they mean nothing.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import msgspec

from node.paths import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fedtui.wire.messages import ModelRef

KEPT = 2
_BLOCK = 2**20


class Certified(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the coordinator committed to; `digest` is hex."""

    round: int
    digest: str
    num_bytes: int
    final: bool = False
    score: float | None = None


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose models these are; both in hex. Nobody's, before the first federation."""

    federation_id: str = ""
    coordinator_id: str = ""


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """All of certified.json."""

    owner: Owner
    models: tuple[Certified, ...] = ()
    num_counted: int = 0


class Models:
    """The folder of models; nothing in it is believed before its digest was checked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._verified: set[bytes] = set()
        self._arrived = b""

    def path(self, digest: bytes) -> Path:
        return self._folder / f"{digest.hex()}.f32"

    def has(self, digest: bytes) -> bool:
        """Whether this model is here, whole and unchanged; reads it when first asked."""
        path = self.path(digest)
        if not path.exists():
            self._verified.discard(digest)
            return False
        if digest not in self._verified:
            if digest_of(path) != digest:
                path.unlink()
                return False
            self._verified.add(digest)
        return True

    def begin(self, digest: bytes, num_bytes: int) -> Download:
        """Go on with a download where it stopped, or start it."""
        return Download(self, self._folder / f"{digest.hex()}.part", digest, num_bytes)

    def arrived(self, digest: bytes) -> None:
        """Called by a Download that verified its bytes."""
        self._verified.add(digest)
        self._arrived = digest

    def keep_only(self, digests: Iterable[bytes]) -> None:
        """Delete every other model, and downloads of them."""
        wanted = {digest.hex() for digest in digests}
        for path in self._folder.iterdir():
            if path.suffix in {".f32", ".part"} and path.name.split(".")[0] not in wanted:
                path.unlink(missing_ok=True)
        self._verified = {digest for digest in self._verified if digest.hex() in wanted}

    def belong_to(self, owner: Owner, *, formerly: Iterable[str] = ()) -> bool:
        """Forget what is of any other federation or coordinator; True if this is another one.

        `formerly` are ids, in hex, that the coordinator had before its key was rotated.
        """
        known = self._note()
        if known.owner == owner:
            return False
        same = known.owner.federation_id == owner.federation_id
        if same and known.owner.coordinator_id in set(formerly):
            self._write(msgspec.structs.replace(known, owner=owner))
            return False
        self.forget()
        self._write(_Note(owner=owner))
        return True

    @property
    def owner(self) -> Owner:
        """Whose models these are."""
        return self._note().owner

    @property
    def num_counted(self) -> int:
        """How many rounds of this federation counted this node's update."""
        return self._note().num_counted

    def certify(
        self,
        model: ModelRef,
        *,
        final: bool,
        score: float | None = None,
        counted: bool = False,
    ) -> None:
        """Note that the coordinator committed to this model; the newest KEPT are remembered.

        `counted`: an update of this node is in it. What the coordinator said before of this round
        and later ones was of a history that it gave up, such as after a restore from a backup.
        """
        found = Certified(
            round=model.round,
            digest=model.digest.hex(),
            num_bytes=model.num_bytes,
            final=final,
            score=score,
        )
        known = self._note()
        before = tuple(one for one in known.models if one.round < found.round)
        newest = (*before, found)[-KEPT:]
        if newest != known.models:
            num_counted = known.num_counted + counted
            self._write(_Note(owner=known.owner, models=newest, num_counted=num_counted))

    def certified(self) -> tuple[Certified, ...]:
        """The newest committed models, oldest first, whether their bytes are here or not."""
        return self._note().models

    def _note(self) -> _Note:
        try:
            return msgspec.json.decode((self._folder / "certified.json").read_bytes(), type=_Note)
        except (FileNotFoundError, msgspec.DecodeError, ValueError):
            return _Note(owner=Owner())

    def _write(self, note: _Note) -> None:
        """Not synced: the coordinator says it again at the next round."""
        data = msgspec.json.encode(note)
        write_atomically(self._folder / "certified.json", data, durable=False)

    def newest_here(self) -> Certified | None:
        """The newest committed model whose bytes are here and genuine."""
        for one in reversed(self.certified()):
            if self.has(bytes.fromhex(one.digest)):
                return one
        return None

    def base(self) -> bytes | None:
        """The model here with which the change to a newer one may begin.

        The newest committed one, or, before there is any, the one that arrived last.
        """
        newest = self.newest_here()
        if newest is not None:
            return bytes.fromhex(newest.digest)
        return self._arrived if self._arrived and self.has(self._arrived) else None

    def tidy(self, wanted: bytes = b"") -> None:
        """Keep the newest KEPT committed models, `wanted`, and what a change may begin with."""
        kept = [bytes.fromhex(one.digest) for one in self.certified()]
        also = (wanted, self.base())
        self.keep_only((*kept, *(digest for digest in also if digest)))

    def forget(self) -> None:
        """Another federation begins: nothing here belongs to it."""
        self.keep_only(())
        (self._folder / "certified.json").unlink(missing_ok=True)


class Download:
    """The sink of one model on its way here. `write` appends; `finish` verifies and keeps it."""

    def __init__(self, models: Models, path: Path, digest: bytes, num_bytes: int) -> None:
        self._models = models
        self._path = path
        self._digest = digest
        self.num_bytes = num_bytes
        self._hash = hashlib.blake2b(digest_size=32)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.offset = 0
        size = os.fstat(self._file).st_size
        if size > num_bytes:
            os.ftruncate(self._file, 0)
        while block := os.read(self._file, _BLOCK):
            self._hash.update(block)
            self.offset += len(block)

    def write(self, data: memoryview) -> None:
        """Append all of `data`. Raises OSError."""
        view = data
        while view:
            view = view[os.write(self._file, view) :]
        self._hash.update(data)
        self.offset += len(data)

    def finish(self) -> bool:
        """Keep a whole and genuine model; delete any other and return False.

        Not synced: a later life of this program trusts no file whose digest it has not taken.
        """
        genuine = self.offset == self.num_bytes and self._hash.digest() == self._digest
        if genuine:
            self._path.rename(self._models.path(self._digest))
            self._models.arrived(self._digest)
        else:
            self._path.unlink(missing_ok=True)
        self.close()
        return genuine

    def close(self) -> None:
        """Stop for now; what is here stays for the next session."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def digest_of(path: Path) -> bytes:
    """BLAKE2b-256 of a file's bytes."""
    state = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.digest()
