"""What the wheel holds, and that it runs where nothing else is installed."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_exactly_our_three_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names if ".dist-info" not in name.partition("/")[0]}
    assert top == {"fedtui", "node", "coordinator"}
    assert "fedtui/py.typed" in names
    assert "fedtui/crypto/words.txt" in names
    assert "coordinator/migrations/script.py.mako" in names
    assert not [name for name in names if "tests/" in name or name.endswith(".pyc")]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_installs_into_an_empty_environment_and_runs(
    wheel: Path, tmp_path: Path
) -> None:
    """What pipx does: an environment of its own, only the wheel and what it names."""
    home = tmp_path / "empty"
    venv.create(home, with_pip=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), str(wheel)],
        check=True,
        capture_output=True,
    )
    for command in ("fedtui", "fedtui-coordinator", "fedtui-demo"):
        done = subprocess.run(
            [str(home / "bin" / command), "--help"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert command.removeprefix("fedtui-") in done.stdout.lower()
