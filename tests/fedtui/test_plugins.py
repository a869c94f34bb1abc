import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from fedtui import plugins
from fedtui.plugins import PluginError

TASK = """
class Own:
    def __init__(self, size: int = 3) -> None:
        if size < 0:
            raise ValueError("size is negative")
        self.size = size

build = Own
"""


def test_names_are_file_names_and_nothing_is_imported() -> None:
    found = plugins.names("tasks")
    assert list(found) == sorted(found)
    assert {"digits", "fashion_mnist", "tabular"} <= {*found}
    assert "fedavg" in plugins.names("strategies")
    assert "base" not in plugins.names("strategies")
    code = (
        "import sys; from fedtui import plugins; plugins.names('tasks'); "
        "print('torch' in sys.modules, 'fedtui.tasks' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_build_gives_the_options_to_the_plug_in() -> None:
    assert (
        plugins.build("strategies", "fedavg", server_learning_rate=0.5).server_learning_rate == 0.5
    )


@pytest.mark.parametrize(
    "name", ["nothing", "base", "__init__", "../plugins", "fedavg.py", "", "os"]
)
def test_nobody_makes_us_import_what_they_spell(name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(PluginError, match=r"there are: .*fedavg"):
        plugins.build("strategies", name)
    assert set(sys.modules) == before


def test_unknown_kinds_and_options_are_refused_with_what_exists() -> None:
    with pytest.raises(PluginError, match="there are aggregators"):
        plugins.names("learning")
    with pytest.raises(PluginError, match="it takes server_learning_rate"):
        plugins.build("strategies", "fedavg", mu=1.0)
    with pytest.raises(PluginError, match="refused its options: server_learning_rate is 99"):
        plugins.build("strategies", "fedavg", server_learning_rate=99)


def written(folder: Path, text: str) -> Path:
    path = folder / "own.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("kind", "name", "options", "said"),
    [
        ("strategies", "fedavgm", {"momentum": False}, "momentum is a number, such as 0.9"),
        ("selection", "deadline", {"invite": True}, "invite is a number, such as 1.3, not True"),
    ],
)
def test_true_is_no_number(kind: str, name: str, options: dict[str, bool], said: str) -> None:
    with pytest.raises(PluginError, match=said):
        plugins.build(kind, name, **options)


def test_a_number_is_not_true(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("def build(large: bool = False):\n    return large\n")
    assert plugins.build_file(path, None, large=True) is True
    with pytest.raises(PluginError, match="large is true or false, not 1"):
        plugins.build_file(path, None, large=1)


def test_an_own_file_runs_if_its_hash_is_the_pinned_one(tmp_path: Path) -> None:
    path = written(tmp_path, TASK)
    pinned = plugins.file_hash(path.read_bytes())
    assert pinned == hashlib.sha256(TASK.encode()).hexdigest()
    assert plugins.build_file(path, pinned, size=7).size == 7
    assert plugins.build_file(path, None).size == 3
    assert [p.name for p in tmp_path.iterdir()] == ["own.py"], "no bytecode is left behind"


def test_a_file_that_changed_does_not_run(tmp_path: Path) -> None:
    pinned = plugins.file_hash(TASK.encode())
    marker = tmp_path / "ran"
    path = written(tmp_path, f"open({str(marker)!r}, 'w')\n" + TASK)
    with pytest.raises(PluginError, match="changed since it was added"):
        plugins.build_file(path, pinned)
    assert not marker.exists()


def test_the_bytes_that_were_hashed_are_the_bytes_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, TASK)
    checked = plugins.file_hash

    def swap(source: bytes) -> str:
        path.write_text("raise SystemExit('the file was read twice')")
        return checked(source)

    monkeypatch.setattr(plugins, "file_hash", swap)
    assert plugins.build_file(path, checked(TASK.encode())).size == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("build = (", "own.py, line 1 failed: SyntaxError"),
        ("x = 1\nimport no_such_module_here\n", "own.py, line 2 failed: ModuleNotFoundError"),
        ("x = 1", "end it with `build = YourClass`"),
        (TASK.replace("size: int = 3", "size: int"), "does not take these options"),
        (TASK.replace("size < 0", "True"), "refused its options: size is negative"),
        ("#" * (plugins.MAX_FILE_BYTES + 1), "larger than"),
    ],
)
def test_a_broken_file_is_a_sentence_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PluginError) as caught:
        plugins.build_file(written(tmp_path, text), None)
    assert said in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="cannot read the task file"):
        plugins.build_file(tmp_path / "none.py", None)


def test_the_name_that_was_probably_meant_is_suggested() -> None:
    with pytest.raises(PluginError, match=r"no 'digts', did you mean 'digits'\?; there are: "):
        plugins.build("tasks", "digts")
    with pytest.raises(PluginError, match=r"did you mean 'fraction'\?; it takes .*fraction"):
        plugins.build("attacks", "backdoor", fracton=0.5)
    assert plugins.options("selection", "stratified") == ("by", "of")
    assert plugins.options("selection", "uniform") == ()
    with pytest.raises(PluginError, match="no 'nobody'; there are"):
        plugins.options("selection", "nobody")


OWN = """
from dataclasses import dataclass

from fedtui.strategies.fedavg import FedAvg


@dataclass(frozen=True, slots=True)
class Mine(FedAvg):
    gain: float = 2.0


build = Mine
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(plugins.OWN_VARIABLE, "")  # so that it is put back
    (tmp_path / "strategies").mkdir()
    (tmp_path / "attacks").mkdir()
    plugins.use_own(tmp_path)
    return tmp_path


def test_own_plug_ins_are_listed_and_built_like_ours(own: Path) -> None:
    file = own / "strategies" / "mine.py"
    file.write_text(OWN)
    (own / "attacks" / "ours.py").write_text(OWN)
    assert "mine" in plugins.names("strategies")
    assert "ours" not in plugins.names("attacks")
    assert plugins.build("strategies", "mine", gain=3.0).gain == 3.0
    assert plugins.own_hash("strategies", "mine") == plugins.file_hash(OWN.encode())
    assert plugins.own_hash("strategies", "fedavg") == ""


def test_what_was_hashed_is_what_runs(own: Path) -> None:
    file = own / "strategies" / "mine.py"
    file.write_text(OWN)
    before = plugins.own_hash("strategies", "mine")
    file.write_text(OWN.replace("2.0", "5.0"))
    assert plugins.own_hash("strategies", "mine") == before
    assert plugins.build("strategies", "mine").gain == 2.0


def test_own_plug_ins_cannot_stand_in_for_ours(own: Path) -> None:
    (own / "strategies" / "fedavg.py").write_text(OWN)
    with pytest.raises(PluginError, match="call it otherwise"):
        plugins.build("strategies", "fedavg")


def test_processes_that_this_one_starts_know_them(own: Path) -> None:
    (own / "strategies" / "mine.py").write_text(OWN)
    code = "from fedtui import plugins; print(plugins.build('strategies', 'mine').gain)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "2.0\n"


def test_own_plug_ins_are_copied_and_nothing_else(own: Path, tmp_path: Path) -> None:
    (own / "strategies" / "mine.py").write_text(OWN)
    (own / "strategies" / "notes.txt").write_text("to myself")
    (own / "attacks" / "ours.py").write_text(OWN)
    plugins.keep_own(own, tmp_path / "copy")
    copied = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert copied == [tmp_path / "copy" / "strategies" / "mine.py"]
    plugins.keep_own(own / "nowhere", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_fault_is_told_with_its_place_in_the_file(own: Path) -> None:
    file = own / "strategies" / "mine.py"
    file.write_text(OWN + "def oops():\n    return 1 / 0\n")
    module = sys.modules[plugins.builder("strategies", "mine").__module__]
    assert plugins.is_own(str(file))
    assert not plugins.is_own(plugins.__file__)
    with pytest.raises(ZeroDivisionError) as caught:
        module.oops()
    said = plugins.fault("the strategy", caught.value)
    line = file.read_text().splitlines().index("    return 1 / 0") + 1
    assert (
        said == f"the strategy failed: ZeroDivisionError: division by zero (mine.py, line {line})"
    )
