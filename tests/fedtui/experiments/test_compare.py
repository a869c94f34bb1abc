import statistics
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.experiments import compare as comparing
from fedtui.experiments import tables
from fedtui.experiments.compare import CompareError, Reached, flat, load
from fedtui.experiments.disk import DamagedError, RunFolderError
from fedtui.experiments.folder import RunFolder
from fedtui.simulation.report import RoundReport

MakeRun = Callable[..., Path]


def test_what_a_run_came_to(a_run: MakeRun) -> None:
    run = load(a_run("one", [0.5, None, 0.8, 0.7]))
    found = comparing.figures(run, 0.75)
    assert (found.name, found.num_rounds, found.final, found.best) == ("one", 4, 0.7, 0.8)
    assert (found.bytes_up, found.bytes_down) == (4_000_000, 8_000_000)
    assert (found.virtual_s, found.wall_s) == (50.0, 1.0)
    assert found.target == Reached(round=3, virtual_s=37.5, num_bytes=9_000_000)
    assert comparing.figures(run, 0.9).target is None


def test_less_is_better_for_a_loss(a_run: MakeRun) -> None:
    found = comparing.figures(load(a_run("one", [0.9, 0.3, 0.4], metric="rmse")), 0.35)
    assert (found.final, found.best) == (0.4, 0.3)
    assert found.target is not None
    assert found.target.round == 2


def test_runs_that_differ_by_their_seed_are_one_group_with_spread(a_run: MakeRun) -> None:
    slow, fast = "[training]\nlearning_rate = 0.01\n", "[training]\nlearning_rate = 0.1\n"
    runs = [
        load(a_run("a", [0.5, 0.6], slow, seed=1)),
        load(a_run("b", [0.5, 0.9], fast, seed=1)),
        load(a_run("c", [0.5, 0.7], slow, seed=2)),
        load(a_run("d", [0.5, 0.8], slow, seed=3)),
    ]
    found = comparing.compare(runs, 0.7)
    assert [one.label for one in found.groups] == ["learning_rate=0.01", "learning_rate=0.1"]
    first, second = found.groups
    assert (first.seeds, second.seeds) == ([1, 2, 3], [1])
    final = first.spreads["final"]
    assert (final.least, final.most) == (0.6, 0.8)
    assert final.mean == pytest.approx(0.7)
    assert final.deviation == pytest.approx(0.1)
    assert second.spreads["final"].deviation == 0.0
    assert (first.num_reached, second.num_reached) == (2, 1)
    assert first.spreads["target_round"].mean == 2


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_spread_is_what_statistics_says(values: list[float]) -> None:
    found = comparing.spread(values)
    assert found.least <= found.mean + 1e-9
    assert found.mean <= found.most + 1e-9
    assert found.mean == pytest.approx(sum(values) / len(values), abs=1e-6)
    if len(values) > 1:
        assert found.deviation == pytest.approx(statistics.variance(values) ** 0.5, abs=1e-3)


def test_the_same_run_twice_is_no_spread(a_run: MakeRun) -> None:
    runs = [load(a_run(name, [0.5])) for name in ("a", "b")]
    assert list(comparing.grouped(runs)) == ["a", "b"]


def test_labels_say_what_differs_and_are_distinct(a_run: MakeRun) -> None:
    plans = {
        "a": '[strategy]\nname = "fedavg"\n[population]\nsplit = "iid"\n',
        "b": '[strategy]\nname = "fedprox"\n[population]\nsplit = "iid"\n',
        "c": '[strategy]\nname = "fedavg"\n[population]\nsplit = "dirichlet:0.1"\n',
        "d": '[strategy]\nname = "fedavg"\n[population]\nsplit = "iid"\n',
    }
    runs = [load(a_run(name, [0.5], plan)) for name, plan in plans.items()]
    assert list(comparing.grouped(runs)) == [
        "strategy=fedavg split=iid (a)",
        "strategy=fedprox split=iid",
        "strategy=fedavg split=dirichlet:0.1",
        "strategy=fedavg split=iid (d)",
    ]


def test_one_plan_alone_is_named_as_its_federation(a_run: MakeRun) -> None:
    runs = [load(a_run("seed=1", [0.5], seed=1)), load(a_run("seed=2", [0.5], seed=2))]
    assert list(comparing.grouped(runs)) == ["x"]
    assert list(comparing.grouped(runs[:1])) == ["seed=1"]


def test_the_plans_target_counts_where_they_agree(a_run: MakeRun) -> None:
    with_target = "[rounds]\ntarget = 0.55\n"
    one, two = load(a_run("a", [0.5, 0.6], with_target)), load(a_run("b", [0.5]))
    assert comparing.compare([one]).target == 0.55
    assert comparing.compare([one], 0.9).target == 0.9
    assert comparing.compare([one, two]).target is None


def test_what_measures_different_things_is_refused(a_run: MakeRun) -> None:
    runs = [load(a_run("a", [0.5])), load(a_run("b", [0.5], metric="rmse"))]
    with pytest.raises(CompareError, match=r"accuracy \(a\) and rmse \(b\): compare them apart"):
        comparing.compare(runs)


def test_a_finished_run_needs_no_journal_and_a_run_may_have_no_round(
    a_run: MakeRun, a_round: Callable[..., RoundReport]
) -> None:
    path = a_run("a", [0.5, 0.6])
    folder = RunFolder.open(path)
    tables.write(folder.rounds, RoundReport, [a_round(1, 0.4)])
    assert len(load(path).rounds) == 2, "the journal is ahead while it runs"
    folder.keep(msgspec.structs.replace(folder.info, state="finished"))
    folder.journal.unlink()
    assert [one.score for one in load(path).rounds] == [0.4]
    empty = load(a_run("b", []))
    assert empty.rounds == []
    assert comparing.figures(empty, 0.5).final is None
    assert comparing.compare([empty], 0.5).groups[0].spreads["num_rounds"].mean == 0


def test_what_is_no_run_is_said(tmp_path: Path, a_run: MakeRun) -> None:
    with pytest.raises(RunFolderError, match="there is no such folder"):
        load(tmp_path / "none")
    path = a_run("a", [0.5])
    (path / "plan.toml").write_text("[")
    with pytest.raises(DamagedError, match="this is not TOML"):
        load(path)


def test_flat() -> None:
    assert flat({"a": 1, "b": {"c": 2, "d": {"e": [3]}}}) == {"a": 1, "b.c": 2, "b.d.e": [3]}
