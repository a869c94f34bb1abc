"""The child process that writes model.pt: the only file of the coordinator that meets torch.

It is started, never imported. `torch.save` of a plain dict of tensors; the reader should use
`torch.load(path, weights_only=True)`.
"""

import importlib
import sys
from pathlib import Path
from typing import Protocol

from safetensors import safe_open


class _Torch(Protocol):
    """The one function of torch that is needed."""

    def save(self, state: dict[str, object], path: Path) -> None: ...


def main(source: Path, target: Path) -> None:
    """Write the tensors of a safetensors file as a state dict."""
    torch: _Torch = importlib.import_module("torch")  # here, not above: nobody else may load it
    with safe_open(str(source), framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    torch.save(state, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
