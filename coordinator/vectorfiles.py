"""Models, updates and masked vectors in open files, as fedtui/combining reads them."""

from dataclasses import dataclass

import numpy as np

from coordinator.files import DISK, Files
from fedtui.combining.visible import CannotCombineError
from fedtui.crypto.keystream import CHUNK_WORDS, Words
from fedtui.learning.params import Vector
from fedtui.secagg.encoding import Encoding

_VALUE_BYTES = 4
_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class VectorFile:
    """`num_values` float32 values in an open file, from byte `start` on. Safe in many threads."""

    handle: int
    num_values: int
    start: int = 0
    files: Files = DISK

    def read(self, first: int, count: int) -> Vector:
        """`count` values (fewer at the end) from value `first` on; read-only.

        Raises:
            CannotCombineError: the file ends before.
            StoreUnavailable, StoreFatal: it cannot be read.
        """
        count = min(count, self.num_values - first)
        at = self.start + _VALUE_BYTES * first
        data = self.files.pread(self.handle, _VALUE_BYTES * count, at)
        if len(data) != _VALUE_BYTES * count:
            raise CannotCombineError(
                f"a file of this round ends at byte {at + len(data)}, before its time"
            )
        return np.frombuffer(data, "<f4")


@dataclass(frozen=True, slots=True)
class WordFile:
    """A masked vector in an open file. Safe in many threads."""

    handle: int
    layout: Encoding
    files: Files = DISK

    def read(self, index: int) -> Words:
        """The words of one chunk; read-only.

        Raises:
            CannotCombineError: the file ends before.
            StoreUnavailable, StoreFatal: it cannot be read.
        """
        size = _WORD_BYTES * self.layout.chunk_words(index)
        data = self.files.pread(self.handle, size, _WORD_BYTES * CHUNK_WORDS * index)
        if len(data) != size:
            raise CannotCombineError("a masked update of this round ends before its time")
        return np.frombuffer(data, "<u8")
