"""A model on its way to this machine as a change of one that is here (fedtui/wire/changes.py).

The bytes that arrive are kept as `<digest>.<base>.change.part`, which the next session goes on
with, and the model is made of its base while they arrive: in `<digest>.made.part`, and by turns in
`<digest>.next.part` when several changes follow one another. What does not fit is no error of
the stream: `finish` says that no genuine model came of it, and `flaw` why.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from fedtui.wire.changes import Applying, ChangeError

if TYPE_CHECKING:
    from pathlib import Path

    from fedtui.learning.params import Vector
    from fedtui.wire.messages import ModelRef
    from node.models import Models

_BLOCK = 2**16
_NAMED = 16  # digits of the base's digest in a file's name


class ChangeDownload:
    """The sink of one or several changes. `write` appends and applies; `finish` keeps the model.

    `num_bytes` is what travels, `offset` how much of it is here.
    """

    def __init__(self, models: Models, model: ModelRef, base: bytes, num_bytes: int) -> None:
        """Go on where it stopped, or begin. Raises OSError: the base or the folder fails."""
        self.num_bytes = num_bytes
        self.offset = 0
        self.flaw = ""
        self._models = models
        self._model = model
        stem = models.path(model.digest).with_suffix("")
        self._arriving = stem.with_name(f"{stem.name}.{base.hex()[:_NAMED]}.change.part")
        self._made = (
            stem.with_name(f"{stem.name}.made.part"),
            stem.with_name(f"{stem.name}.next.part"),
        )
        self._handles: dict[str, int] = {}
        try:
            self._start(base)
            arrived = self._open("arriving", self._arriving, os.O_RDWR | os.O_CREAT)
            self._take_up(arrived, base)
        except OSError:
            self.close()
            raise

    def write(self, data: memoryview) -> None:
        """Append all of `data`, and make of it what can be made. Raises OSError."""
        _write_all(self._handles["arriving"], data)
        self._apply(data)
        self.offset += len(data)

    def finish(self) -> bool:
        """Keep a whole and genuine model; delete what came of any other and return False."""
        found = self._applying.digest
        genuine = not self.flaw and self.offset == self.num_bytes and found == self._model.digest
        if genuine:
            self._made[self._turn].rename(self._models.path(self._model.digest))
            self._models.arrived(self._model.digest)
        elif not self.flaw:
            self.flaw = "it ends with another model"
        self._arriving.unlink(missing_ok=True)
        self.close()
        return genuine

    def close(self) -> None:
        """Stop for now; what arrived stays for the next session."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()
        for path in self._made:
            path.unlink(missing_ok=True)

    def _take_up(self, arrived: int, base: bytes) -> None:
        """Apply again what is here already; all of it is dropped if it does not fit."""
        if os.fstat(arrived).st_size <= self.num_bytes:
            while block := os.read(arrived, _BLOCK):
                self._apply(memoryview(block))
                self.offset += len(block)
            if not self.flaw:
                return
        os.ftruncate(arrived, 0)
        os.lseek(arrived, 0, os.SEEK_SET)
        self.offset, self.flaw = 0, ""
        self._start(base)

    def _start(self, base: bytes) -> None:
        self._turn = 0
        self._open("base", self._models.path(base), os.O_RDONLY)
        self._begin(base)

    def _begin(self, base: bytes) -> None:
        """Make the next model of the one that is open as `base`."""
        self._open("made", self._made[self._turn], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        made = self._handles["made"]
        self._applying = Applying(
            self._model.num_bytes // 4, base, self._read, lambda data: _write_all(made, data)
        )

    def _apply(self, data: memoryview) -> None:
        while data and not self.flaw:
            try:
                data = data[self._applying.feed(data) :]
                if data and self._applying.digest is not None:
                    self._go_on(self._applying.digest)
            except ChangeError as error:
                self.flaw = str(error)

    def _go_on(self, made: bytes) -> None:
        """A change is whole, and another one follows: what it made is the next one's base."""
        os.close(self._handles["base"])
        self._handles["base"] = self._handles.pop("made")
        self._turn = 1 - self._turn
        self._begin(made)

    def _read(self, first: int, count: int) -> Vector:
        data = os.pread(self._handles["base"], 4 * count, 4 * first)
        if len(data) != 4 * count:
            raise ChangeError("the model here ends before its time")
        return np.frombuffer(data, "<f4")

    def _open(self, name: str, path: Path, flags: int) -> int:
        if name in self._handles:
            os.close(self._handles.pop(name))
        self._handles[name] = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        return self._handles[name]


def _write_all(handle: int, data: memoryview) -> None:
    while data:
        data = data[os.write(handle, data) :]
