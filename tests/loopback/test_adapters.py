"""LoRA by PEFT, as docs/extending.md has it: only the adapters leave, and they learn."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from safetensors import safe_open

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(180)]

BIN = Path(sys.executable).parent
EXTENDING = Path(__file__).parents[2] / "docs" / "extending.md"
PLAN = """\
[federation]
name = "adapters"
[task]
name = "adapters"
sha256 = "{sha256}"
[training]
epochs = 2
optimizer = "adam"
learning_rate = 0.01
[rounds]
maximum = 4
[privacy]
minimum = 3
[population]
nodes = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the document's task, and a plan for it."""
    found = tmp_path_factory.mktemp("adapters")
    blocks = EXTENDING.read_text().split("```python\n")[1:]
    (code,) = (block.split("```")[0] for block in blocks if "get_peft_model" in block)
    (found / "adapters.py").write_text(code)
    (found / "plan.toml").write_text(PLAN.format(sha256=sha256(code.encode()).hexdigest()))
    return found


def run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / program, *arguments],
        cwd=folder,
        env=os.environ | {"FEDTUI_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_check_says_that_the_frozen_weights_stay(folder: Path) -> None:
    done = run(folder, "fedtui", "task", "check", "adapters.py", "--data", "adapters.py")
    assert done.returncode == 0, done.stderr
    assert "1,354 numbers (0.01 MB) in 10 tensors" in done.stdout
    assert "stay here" in done.stdout


def test_adapters_alone_travel_and_learn(folder: Path) -> None:
    done = run(
        folder, "fedtui-simulate", "run", "plan.toml", "--task-file", "adapters.py", "--json"
    )
    assert done.returncode == 0, done.stderr
    scores = [
        line["score"]
        for line in map(json.loads, done.stdout.splitlines())
        if line.get("score") is not None
    ]
    assert scores[-1] > max(0.3, scores[0])
    with safe_open(folder / "runs" / "plan" / "model.safetensors", "np") as model:
        assert all("lora_" in name or "modules_to_save" in name for name in model.keys())  # noqa: SIM118  no dict
        assert len(model.metadata()["fedtui.frozen"]) == 64
