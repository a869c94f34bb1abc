import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fedtui.experiments import folder as folder_module
from fedtui.experiments.disk import DamagedError, RunFolderError
from fedtui.experiments.folder import RunFolder, RunInfo, versions

PLAN = '[federation]\nname = "x"\n'


def info(**changed: object) -> RunInfo:
    made = RunInfo(**versions(), seed=1, engine="serial", started_s=100.0)  # type: ignore[arg-type]
    return msgspec.structs.replace(made, **changed)


def test_a_run_begins_with_its_plan_and_what_made_it(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "deep" / "run", PLAN, info())
    run.close()
    again = RunFolder.open(run.path)
    assert again.plan_text() == PLAN
    assert again.info == info()
    assert again.info.torch.startswith("2.")
    assert sorted(entry.name for entry in run.path.iterdir()) == ["lock", "plan.toml", "run.json"]


def test_the_same_plan_goes_on(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, PLAN, info()).held() as run:
        run.keep(msgspec.structs.replace(run.info, state="stopped", num_rounds=3, virtual_s=9.0))
    later = info(started_s=500.0, torch="3.0", engine="ray")
    with RunFolder.create(tmp_path, PLAN, later).held() as run:
        assert (run.info.state, run.info.num_rounds, run.info.virtual_s) == ("running", 3, 9.0)
        assert (run.info.started_s, run.info.engine) == (100.0, "ray")
        assert run.info.torch == f"{info().torch}, then 3.0"
    assert RunFolder.open(tmp_path).info == run.info


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, PLAN, info()).held() as run:
        run.keep(msgspec.structs.replace(run.info, state="finished", ended_s=200.0))
    before = (tmp_path / "run.json").read_bytes()
    with RunFolder.create(tmp_path, PLAN, info(started_s=500.0)).held() as run:
        assert (run.info.state, run.info.ended_s) == ("finished", 200.0)
    assert (tmp_path / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("plan", "changed", "said"),
    [
        (PLAN + "# other", {}, r"another plan: give another --out, or --fresh"),
        (PLAN, {"seed": 2}, r"another seed \(1, now 2\)"),
        (PLAN, {"plain": True}, "another choice of masks"),
        (PLAN, {"num_threads": 2}, r"another number of threads \(1, now 2\)"),
        (PLAN, {"device": "cuda"}, r"another device \(cpu, now cuda\)"),
        (PLAN + "#", {"seed": 2}, "another plan and another seed"),
    ],
)
def test_what_makes_it_another_run_is_refused(
    tmp_path: Path, plan: str, changed: dict[str, object], said: str
) -> None:
    RunFolder.create(tmp_path, PLAN, info()).close()
    with pytest.raises(RunFolderError, match=said):
        RunFolder.create(tmp_path, plan, info(**changed))
    assert RunFolder.open(tmp_path).plan_text() == PLAN
    RunFolder.create(tmp_path, PLAN, info()).close()


def test_fresh_removes_what_a_run_wrote_and_nothing_else(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, PLAN, info()).held() as run:
        run.model.write_bytes(b"model")
        (tmp_path / "model-000003.safetensors").write_bytes(b"model")
        run.keep_failure("round-1-node-2", "Traceback")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "failures" / "own").write_text("mine")
    with RunFolder.create(tmp_path, "other", info(seed=9), fresh=True).held() as run:
        assert list(tmp_path.glob("*.safetensors")) == []
        assert run.plan_text() == "other"
    assert (tmp_path / "notes.txt").exists()
    assert [entry.name for entry in run.failures.iterdir()] == ["own"]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunFolderError, match=r"no run's folder, it holds thesis\.tex"):
        RunFolder.create(tmp_path, PLAN, info(), fresh=fresh)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_plan_that_somebody_wrote_is_never_replaced(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "plan.toml").write_text("mine")
    with pytest.raises(RunFolderError, match="is another plan, and of no run"):
        RunFolder.create(tmp_path, PLAN, info(), fresh=fresh)
    assert (tmp_path / "plan.toml").read_text() == "mine"
    RunFolder.create(tmp_path, "mine", info(), fresh=fresh).close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from fedtui.experiments.folder import RunFolder, RunInfo\n"
        "info = RunInfo(seed=1, engine='serial', started_s=1.0)\n"
        "try: RunFolder.create(Path(sys.argv[1]), sys.argv[2], info)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    call = [sys.executable, "-c", code, str(tmp_path), PLAN]
    with RunFolder.create(tmp_path, PLAN, info()).held():
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        assert "RunFolderError" in done.stdout
        assert "another process works on this run" in done.stdout
        assert RunFolder.open(tmp_path).info.seed == 1
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"seed": 1}', b"\xff", b'{"seed": -1, "engine": "", "started_s": 1}']
)
def test_a_damaged_record_is_said(tmp_path: Path, text: bytes) -> None:
    RunFolder.create(tmp_path, PLAN, info()).close()
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(DamagedError, match=r"run\.json: is not what a run wrote"):
        RunFolder.open(tmp_path)


def test_where_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no run; 'fedtui-simulate run' makes one"):
        RunFolder.open(tmp_path)
    with pytest.raises(RunFolderError, match="there is no such folder"):
        RunFolder.open(tmp_path / "none")


def test_tracebacks_are_kept_but_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "MAX_FAILURES", 2)
    with RunFolder.create(tmp_path, PLAN, info()).held() as run:
        first = run.keep_failure("a", "x" * 100_000 + "the end")
        assert first is not None
        assert first.read_text().endswith("the end")
        assert first.stat().st_size == folder_module.MAX_FAILURE_BYTES
        assert run.keep_failure("b", "\ud800") is not None
        assert run.keep_failure("c", "") is None
