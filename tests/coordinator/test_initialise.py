"""`init`: everything, or nothing at all."""

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from a_coordinator import MANIFEST, PLAN, D

from coordinator import initialise as initialise_module
from coordinator.initialise import Wishes, initialise
from coordinator.opening import read_settings
from coordinator.reading import reading
from coordinator.refusals import BadDataError, CannotCreateError, DiskError, MissingInputError
from coordinator.store import Store
from coordinator.templates import PlanChoices, ServerChoices, plan_toml
from fedtui.errors import ExitCode
from fedtui.learning.params import Params
from fedtui.tomlfile import ConfigError

SERVER = ServerChoices(host="127.0.0.1", port=8443, health_port=8444)
TEXT = PLAN.format(minimum=2, rounds=2, deadline_s=10.0)


@pytest.fixture
def initial(tmp_path: Path) -> Path:
    path = tmp_path / "initial.safetensors"
    values = np.linspace(-1, 1, D).astype(np.float32)
    path.write_bytes(Params(MANIFEST, values).to_safetensors())
    return path


def wishes(initial: Path, text: str = TEXT) -> Wishes:
    return Wishes(server=SERVER, plan=text, initial=initial)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".safetensors")


def test_a_directory_is_made_with_private_files(tmp_path: Path, initial: Path) -> None:
    made = initialise(tmp_path / "deep/er/f", wishes(initial))
    root = tmp_path / "deep/er/f"
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    for path in root.rglob("*"):
        assert not path.stat().st_mode & 0o077, path
    settings = read_settings(made.layout)
    assert (settings.plan, settings.plan_hash) == (made.plan, made.plan_hash)
    assert settings.manifest == MANIFEST
    with reading(made.layout) as database:
        (first,) = database.snapshot().rounds
    assert (first.round, first.num_bytes) == (0, 4 * D)
    assert left(tmp_path) == ["deep"]


def test_an_empty_directory_is_taken_and_others_are_not(tmp_path: Path, initial: Path) -> None:
    (tmp_path / "f").mkdir()
    initialise(tmp_path / "f", wishes(initial))
    with pytest.raises(CannotCreateError, match="holds a coordinator already"):
        initialise(tmp_path / "f", wishes(initial))
    (tmp_path / "g").mkdir()
    (tmp_path / "g/mine").write_text("x")
    with pytest.raises(CannotCreateError, match="is not empty"):
        initialise(tmp_path / "g", wishes(initial))
    (tmp_path / "h").write_text("a file")
    with pytest.raises(CannotCreateError):
        initialise(tmp_path / "h", wishes(initial))


def test_a_wrong_plan_is_said_without_the_temporary_path(tmp_path: Path, initial: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        initialise(tmp_path / "f", wishes(initial, TEXT.replace("digits", "nosuch")))
    assert str(caught.value).startswith("plan.toml: [task] name")
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "truncated"), (b"\xff" * 100, "header"), (b"nan", "not finite")],
)
def test_an_unusable_initial_model(
    tmp_path: Path, initial: Path, content: bytes, says: str
) -> None:
    if content == b"nan":
        values = np.zeros(D, np.float32)
        values[3] = np.nan
        content = Params(MANIFEST, values).to_safetensors()
    initial.write_bytes(content)
    with pytest.raises(BadDataError, match=says):
        initialise(tmp_path / "f", wishes(initial))
    assert left(tmp_path) == []


def test_a_missing_initial_model(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        initialise(tmp_path / "f", wishes(tmp_path / "none.safetensors"))


def test_L5_a_full_disk_leaves_nothing(
    tmp_path: Path, initial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "coordinator.db")

    monkeypatch.setattr(Store, "open", full)
    with pytest.raises(DiskError, match="make room"):
        initialise(tmp_path / "f", wishes(initial))
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "stderr", "kind", "says"),
    [
        (ExitCode.BAD_CONFIG, "no option 'x'", ConfigError, r"\[task\].*no option 'x'"),
        (ExitCode.BAD_DATA, "a\nfloat64", BadDataError, "made no initial model: float64"),
        (1, "", BadDataError, "no reason"),
    ],
)
def test_what_the_tasks_process_says_is_passed_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    stderr: str,
    kind: type[Exception],
    says: str,
) -> None:
    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        assert command[1:4] == ["-m", "fedtui.learning.trainer", "--task"]
        return subprocess.CompletedProcess(command, status, "", stderr)

    monkeypatch.setattr(initialise_module.subprocess, "run", run)
    with pytest.raises(kind, match=says):
        initialise(tmp_path / "f", Wishes(server=SERVER, plan=TEXT))


def saying(stdout: str, model: Path, asked: list[list[str]] | None = None) -> object:
    """A process of the task that copies `model` and prints; `asked` collects its commands."""

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        if asked is not None:
            asked.append(command)
        Path(command[command.index("--out") + 1]).write_bytes(model.read_bytes())
        return subprocess.CompletedProcess(command, 0, stdout, "")

    return run


def test_the_metric_is_the_tasks_own_unless_it_is_chosen(
    tmp_path: Path, initial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = 'loading\n{"manifest": [], "metric": "rmse", "sums": []}\nbye\n'
    asked: list[list[str]] = []
    monkeypatch.setattr(initialise_module.subprocess, "run", saying(said, initial, asked))
    open_ = Wishes(server=SERVER, plan=PlanChoices(target=95.0))
    made = initialise(tmp_path / "a", open_)
    assert (made.plan.task.metric, made.plan.rounds.target) == ("rmse", 95.0)
    assert read_settings(made.layout).plan == made.plan
    assert "--metric" not in asked[-1]
    chosen = replace(open_, plan=PlanChoices(target=95.0, metric="loss"))
    assert initialise(tmp_path / "b", chosen).plan.task.metric == "loss"
    assert asked[-1][-2:] == ["--metric", "loss"], "a metric that is chosen is asked of the task"
    taken = replace(open_, plan=PlanChoices(), initial=initial)
    assert initialise(tmp_path / "c", taken).plan.task.metric == "accuracy"
    monkeypatch.setattr(initialise_module.subprocess, "run", saying("loading\n", initial))
    with pytest.raises(BadDataError, match="named no metric"):
        initialise(tmp_path / "d", open_)


def test_a_target_is_judged_by_the_metric_of_the_task(
    tmp_path: Path, initial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = '{"metric": "accuracy"}\n'
    monkeypatch.setattr(initialise_module.subprocess, "run", saying(said, initial))
    with pytest.raises(ConfigError, match=r"^plan.toml: \[rounds\] target = 95: accuracy is at"):
        initialise(tmp_path / "f", Wishes(server=SERVER, plan=PlanChoices(target=95.0)))
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("choices", "says"),
    [({"addresses": ("bad address",)}, "'bad address' is not an address"), ({"host": ""}, "host")],
)
def test_what_serve_would_refuse_is_refused_at_once(
    tmp_path: Path, initial: Path, choices: dict[str, object], says: str
) -> None:
    server = replace(SERVER, **choices)
    with pytest.raises(ConfigError, match=says) as caught:
        initialise(tmp_path / "f", Wishes(server=server, plan=TEXT, initial=initial))
    assert str(caught.value).startswith("coordinator.toml, line ")
    assert left(tmp_path) == []


@pytest.mark.parametrize(("own", "hinted"), [("", True), ("0" * 64, False)])
def test_a_task_that_wants_options_is_told_where_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, hinted: bool
) -> None:
    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, ExitCode.BAD_CONFIG, "", "no 'target'")

    monkeypatch.setattr(initialise_module.subprocess, "run", run)
    file = tmp_path / "t.py" if own else None
    wishes_ = Wishes(server=SERVER, plan=PlanChoices(task="tabular", sha256=own), task_file=file)
    with pytest.raises(ConfigError, match="no 'target'") as caught:
        initialise(tmp_path / "f", wishes_)
    command = f"fedtui-coordinator init --dir {tmp_path / 'f'} --plan plan.toml"
    assert str(caught.value).endswith(command) is hinted


def test_an_own_task_needs_its_file(tmp_path: Path) -> None:
    text = TEXT.replace('name = "digits"', f'name = "mine"\nsha256 = "{"0" * 64}"')
    with pytest.raises(ConfigError, match="--task-file"):
        initialise(tmp_path / "f", Wishes(server=SERVER, plan=text))


@pytest.mark.parametrize("initial", [None, Path("model.safetensors")])
def test_a_task_file_beside_a_plan_without_its_hash_is_not_passed_over(
    tmp_path: Path, initial: Path | None
) -> None:
    wishes_ = Wishes(server=SERVER, plan=TEXT, initial=initial, task_file=tmp_path / "mine.py")
    with pytest.raises(ConfigError, match="'digits' that comes with fedtui, and --task-file"):
        initialise(tmp_path / "f", wishes_)
    assert left(tmp_path) == []


@pytest.mark.loopback
def test_the_initial_model_comes_from_the_task_in_a_process_of_its_own(tmp_path: Path) -> None:
    text = plan_toml(PlanChoices(task="digits"))
    first = initialise(tmp_path / "a", Wishes(server=SERVER, plan=text))
    second = initialise(tmp_path / "b", Wishes(server=SERVER, plan=text))
    models = [made.layout.checkpoints / "model-000000.safetensors" for made in (first, second)]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert first.identity.id != second.identity.id
