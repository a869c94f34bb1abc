"""What did not have to travel in this life: bytes that shorter updates and changes left out.

Against the whole model as float32, by which an update is measured too. Counted is what arrived:
updates that are stored, and changes that their nodes acknowledged.
"""

from coordinator.traffic import Moved


class Savings:
    """`model_bytes` is the length of a model, and of an update that nothing makes shorter."""

    def __init__(self, model_bytes: int) -> None:
        self._model_bytes = model_bytes
        self._up = self._down = 0

    @property
    def saved(self) -> Moved:
        """Bytes so far. A masked update of two lanes is a little longer and saves none."""
        return Moved(self._up, self._down)

    def received(self, num_bytes: int) -> None:
        """An update of this length came instead of one as long as the model."""
        self._up += max(0, self._model_bytes - num_bytes)

    def served(self, kind: str, num_bytes: int) -> None:
        """A node has what was streamed to it; a change came instead of a model."""
        if kind == "change":
            self._down += max(0, self._model_bytes - num_bytes)
