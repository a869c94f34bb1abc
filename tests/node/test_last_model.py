"""Export and predictions come from the newest committed model that is here and genuine."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from a_plan import MANIFEST, MODEL, PLAN, digest_of, model_ref
from fake_federation import write_config

from fedtui.learning.params import Params
from fedtui.rounds.plan import Named, Plan
from fedtui.status import Refused
from fedtui.wire import codec
from fedtui.wire.messages import Terms
from node import jobs, last_model, terms
from node.models import Models
from node.paths import Profile
from node.updates import Updates


def have_model(home: Profile, plan: Plan = PLAN) -> None:
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    terms.save(home.terms, data)
    models = Models(home.models)
    download = models.begin(digest_of(MODEL), len(MODEL))
    download.write(memoryview(MODEL))
    assert download.finish()
    models.certify(model_ref(number=4), final=True, score=0.75)


def answer(path: str) -> None:
    Path(path).write_text('{"row":1}\n')


def test_export_writes_the_very_values(home: Profile, tmp_path: Path) -> None:
    have_model(home)
    said = last_model.export(home, tmp_path / "m.safetensors")
    assert "result" in said
    assert "0.75" in said
    found = Params.from_safetensors((tmp_path / "m.safetensors").read_bytes(), MANIFEST)
    assert np.array_equal(found.vector_D, np.frombuffer(MODEL, "<f4"))


def test_a_disk_that_is_full_is_said_of_the_file_that_was_named(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_model(home)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path) + ".tmp")

    monkeypatch.setattr(last_model, "write_atomically", full)
    with pytest.raises(OSError, match="No space") as refusal:
        last_model.export(home, tmp_path / "m")
    assert refusal.value.filename == str(tmp_path / "m")


def test_without_a_model_it_is_said(home: Profile, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        last_model.export(home, tmp_path / "m")
    assert refusal.value.exit_code == 66
    assert not (tmp_path / "m").exists()


def test_predicting_runs_in_a_trainer(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_model(home)
    write_config(home)
    asked: list[jobs.Job] = []

    async def run_alone(job: jobs.Job) -> jobs.Outcome:
        asked.append(job)
        assert isinstance(job, jobs.PredictJob)
        answer(job.out_path)
        return jobs.Predicted(job_id=1, out_path=job.out_path, num_rows=1)

    monkeypatch.setattr(last_model, "run_alone", run_alone)
    shown: list[str] = []
    said = last_model.predict(home, tmp_path / "x.csv", None, show=shown.append)
    assert shown == ['{"row":1}\n']
    assert said.startswith("1 answers")
    last_model.predict(home, tmp_path / "x.csv", tmp_path / "out", show=shown.append)
    assert (tmp_path / "out").read_text() == '{"row":1}\n'
    assert list(home.work.iterdir()) == [], "nothing is left behind"
    job = asked[0]
    assert isinstance(job, jobs.PredictJob)
    assert job.model_path == str(Models(home.models).path(digest_of(MODEL)))


def test_answers_are_those_of_the_model_as_this_node_uses_it(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Named(name="fedper", options={"stays": ["bias"]})
    have_model(home, msgspec.structs.replace(PLAN, strategy=chosen))
    write_config(home)
    asked: list[jobs.PredictJob] = []

    async def run_alone(job: jobs.PredictJob) -> jobs.Outcome:
        asked.append(job)
        answer(job.out_path)
        return jobs.Predicted(job_id=1, out_path=job.out_path, num_rows=1)

    monkeypatch.setattr(last_model, "run_alone", run_alone)
    before = last_model.predict(home, tmp_path / "x", tmp_path / "out", show=print)
    holding = Updates(home.work).holding
    for number in (4, 5):  # the model here is that of round 4
        _, pending = holding.begin("", number)
        pending.write_bytes(b"held")
        holding.settled("", number, counted=True)
    after = last_model.predict(home, tmp_path / "x", tmp_path / "out", show=print)
    assert "holds" not in before
    assert after.endswith("with what this node holds for its strategy")
    assert asked[0].held_in == ""
    assert Path(asked[1].held_in).name == "round-00000004.safetensors"
    assert (asked[1].strategy, asked[1].strategy_options) == ("fedper", chosen.options)


@pytest.mark.parametrize(("name", "said"), [("fedavg", False), ("ditto", True)])
def test_an_export_says_if_its_score_is_of_other_models(
    home: Profile, tmp_path: Path, name: str, said: bool
) -> None:
    have_model(home, msgspec.structs.replace(PLAN, strategy=Named(name=name)))
    assert ("not of this one" in last_model.export(home, tmp_path / "m")) == said
