"""Each planted bug of this folder must turn the tests red that it names: they guard something.

For each patch the package is copied, the patch applied to the copy, and the tests run against the
copy in a process of their own. A plug-in looks there where `fedtui` comes from: the project itself
is installed editable, and would be found first otherwise.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from patching import PatchError, apply, parse

ROOT = Path(__file__).parents[2]
PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
PASSED, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED
PROBE = """
import os
import fedtui, pytest

def pytest_configure(config):
    if not fedtui.__file__.startswith(os.environ["MUTANT"]):
        raise pytest.UsageError(f"this is not the mutant: {fedtui.__file__}")
    print("the copy is what is tested")
"""


def copied(folder: Path) -> Path:
    """A copy of the package that can be spoilt, and the probe beside it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "fedtui", folder / "fedtui", ignore=ignored)
    (folder / "mutant_probe.py").write_text(PROBE)
    return folder


def run(folder: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Test a copy. From its own folder: python -m puts the working folder first in the path."""
    options = ("-x", "-q", "-p", "mutant_probe", "-p", "no:cacheprovider", "--no-header")
    place = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT))
    place += ("-o", f"pythonpath={ROOT / 'tests' / 'fakes'}")  # and not the root: see the probe
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "MUTANT": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *place, *(str(ROOT / test) for test in tests)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def all_red() -> tuple[str, ...]:
    """Every test file that a patch names."""
    red = {test for path in PATCHES for test in parse(path.read_text()).red}
    return tuple(sorted({test.partition("::")[0] for test in red}))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_a_patch_they_all_pass(tmp_path: Path) -> None:
    done = run(copied(tmp_path), all_red())
    assert "the copy is what is tested" in done.stdout
    assert done.returncode == PASSED, done.stdout[-3000:] + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)
def test_this_mutant_dies(path: Path, tmp_path: Path) -> None:
    patch = parse(path.read_text())
    for number, test in enumerate(patch.red):  # each that it names, not one of them
        folder = tmp_path / str(number)
        folder.mkdir()
        apply(patch, copied(folder))
        done = run(folder, (test,))
        assert "the copy is what is tested" in done.stdout
        assert done.returncode == FAILED, f"{test} did not see it\n" + done.stdout[-3000:]


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)
def test_this_patch_fits_the_source(path: Path, tmp_path: Path) -> None:
    """In the default run: a patch that the source outgrew is rewritten, not forgotten."""
    patch = parse(path.read_text())
    for hunk in patch.hunks:
        (tmp_path / hunk.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / hunk.path, tmp_path / hunk.path)
    apply(patch, tmp_path)
    for hunk in patch.hunks:
        compile((tmp_path / hunk.path).read_text(), hunk.path, "exec")
    assert all((ROOT / test.partition("::")[0]).exists() for test in patch.red)


def test_a_patch_that_fits_nowhere_or_twice_or_says_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("a = 1\nb = 2\na = 1\n")
    head = "# red: t.py\n--- a/f.py\n+++ b/f.py\n@@ @@\n"
    for hunk in ("-c = 3\n+c = 4\n", "-a = 1\n+a = 3\n", "-b = 2\n+b = 2\n"):
        with pytest.raises(PatchError, match="a hunk fits"):
            apply(parse(head + hunk), tmp_path)
    apply(parse(head + " b = 2\n-a = 1\n+a = 3\n"), tmp_path)
    assert (tmp_path / "f.py").read_text() == "a = 1\nb = 2\na = 3\n"
    for text in ("", head, head.replace("# red: t.py\n", "") + "-b = 2\n", head + "b = 2\n"):
        with pytest.raises(PatchError):
            parse(text)
