import dataclasses

import msgspec
import numpy as np
import pytest
from a_setup import a_null_setup, a_setup, an_own_setup

from fedtui.learning.data import DataError, DataSource, Examples
from fedtui.learning.partition import take_shard
from fedtui.learning.task import prepared
from fedtui.plugins import PluginError
from fedtui.simulation.ground import Ground, survey
from fedtui.simulation.population import ShiftSection


def changed(setup, **fields):
    return dataclasses.replace(
        setup, population=msgspec.structs.replace(setup.population, **fields)
    )


@pytest.mark.parametrize("split", ["iid", "dirichlet:0.3", "quantity:0.5"])
def test_shares_are_those_that_nodes_would_cut_for_themselves(split: str) -> None:
    setup = changed(a_setup(9), split=split, seed=77)
    ground, task = survey(setup), setup.task()
    assert ground.num_nodes == 9
    everything = task.data(DataSource())
    for node in range(9):
        source = DataSource(split=split, shard=node, num_shards=9, seed=77)
        own = prepared(task, take_shard(everything, source))
        mine = ground.examples.take(ground.share(node))
        assert mine.x.tobytes() == own.x.tobytes()
        assert mine.y.tobytes() == own.y.tobytes()
    assert ground.order.dtype == ground.offsets.dtype == np.int64


def test_the_cut_follows_the_population_s_seed_or_else_the_plan_s() -> None:
    setup = a_setup()
    assert setup.data_seed == setup.plan.seed
    assert changed(setup, seed=9).data_seed == 9
    orders = [survey(s).order.tobytes() for s in (setup, changed(setup, seed=5))]
    assert orders[0] == orders[1] != survey(changed(setup, seed=6)).order.tobytes()


def test_what_is_saved_is_mapped_and_the_same(tmp_path) -> None:
    names = ("with an evaluator", "without", "raw", "null")
    setups = (
        a_setup(evaluator=True),
        a_setup(),
        changed(a_setup(), shift=ShiftSection(name="noise")),
        a_null_setup(10),
    )
    for name, setup in zip(names, setups, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        ground = survey(setup)
        ground.save(folder)
        again = Ground.load(folder)
        assert again.is_raw == ground.is_raw == (name == "raw")
        assert np.array_equal(again.order, ground.order)
        assert np.array_equal(again.offsets, ground.offsets)
        for kind in ("examples", "test"):
            one, two = getattr(ground, kind), getattr(again, kind)
            assert (one is None) == (two is None)
            if one is not None:
                assert one.x.dtype == two.x.dtype
                assert np.array_equal(one.x, two.x)
                assert np.array_equal(one.y, two.y)
        if again.examples is not None:
            assert type(again.examples.x) is np.ndarray
            again.examples.x[0] += 1  # a task that writes into its inputs harms itself only
            assert not np.array_equal(Ground.load(folder).examples.x, again.examples.x)


def test_ten_thousand_nodes_cost_little(monkeypatch) -> None:
    class Wide:
        def data(self, source):
            return Examples(np.zeros((60_000, 1), np.uint8), np.zeros(60_000, np.int64))

        def prepare(self, x):
            return x.astype(np.float32)

    setup = changed(a_setup(), nodes=10_000, split="iid")
    monkeypatch.setattr(type(setup), "task", lambda self: Wide())
    ground = survey(setup)
    assert ground.num_nodes == 10_000
    assert ground.order.nbytes + ground.offsets.nbytes < 600_000
    assert {len(ground.share(node)) for node in (0, 5000, 9999)} == {6}


def test_a_task_that_prepares_by_what_it_is_given_is_left_to_do_so_per_node(monkeypatch) -> None:
    setup = a_setup()
    task = setup.task()
    monkeypatch.setattr(
        type(task), "prepare", lambda self, x: (x / (x.max(0) + 1)).astype(np.float32)
    )
    monkeypatch.setattr(type(setup), "task", lambda self: task)
    assert survey(setup).is_raw


def test_data_that_do_not_suffice_are_said() -> None:
    with pytest.raises(DataError, match="1437 examples cannot fill 2000 shards"):
        survey(changed(a_setup(), nodes=2000))
    with pytest.raises(DataError, match="one example only, so none can be held out"):
        survey(changed(a_setup(), nodes=1437, split="iid"))
    with pytest.raises(DataError, match="does not exist"):
        survey(changed(a_setup(), data="/nowhere/at/all"))


def test_an_index_file_may_leave_nobody_without_examples(tmp_path) -> None:
    path = tmp_path / "cut.npz"
    np.savez(path, p0=np.arange(5), p1=np.arange(0))
    with pytest.raises(DataError, match="gives node 1 no examples"):
        survey(changed(a_setup(), nodes=2, split=str(path)))


def test_a_task_file_other_than_the_plan_s_is_refused(tmp_path) -> None:
    setup = an_own_setup(tmp_path)
    section = msgspec.structs.replace(setup.plan.task, sha256="0" * 64)
    plan = msgspec.structs.replace(setup.plan, task=section)
    with pytest.raises(PluginError, match="changed since it was added"):
        survey(dataclasses.replace(setup, plan=plan))


def test_an_evaluator_never_measures_what_the_nodes_train_on(tmp_path) -> None:
    rows = "\n".join(",".join(["3"] * 64 + [str(k % 10)]) for k in range(40))
    (tmp_path / "train.csv").write_text(rows)
    setup = changed(a_setup(evaluator=True), data=str(tmp_path / "train.csv"))
    with pytest.raises(DataError, match=r"train\.csv has no test part, so the evaluator would"):
        survey(setup)
    without = changed(a_setup(), data=str(tmp_path / "train.csv"))
    assert survey(without).test is None
