import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy


@pytest.mark.loopback
def test_the_torch_file_loads_without_unpickling_code(tmp_path: Path) -> None:
    source, target = tmp_path / "m.safetensors", tmp_path / "m.pt"
    tensors = {"b": np.arange(3, dtype=np.float32), "w": np.ones((2, 5), np.float32)}
    safetensors.numpy.save_file(tensors, source)
    command = [sys.executable, "-m", "coordinator.export_torch", str(source), str(target)]
    subprocess.run(command, check=True)
    look = (
        "import sys, torch; s = torch.load(sys.argv[1], weights_only=True); "
        "print({k: v.tolist() for k, v in s.items()})"
    )
    done = subprocess.run(
        [sys.executable, "-c", look, str(target)], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == str({"b": [0.0, 1.0, 2.0], "w": [[1.0] * 5] * 2})
