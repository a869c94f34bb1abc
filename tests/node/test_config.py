"""node.toml: what is written comes back, and every mistake is named with line and key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.status import Limits, Refused
from node import config as configs
from node.config import (
    CoordinatorTable,
    DataTable,
    NodeConfig,
    PrivacyTable,
    TaskTable,
    load,
    parse_shard,
    save,
)
from node.paths import Profile

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    st.builds(
        NodeConfig,
        label=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=48),
        role=st.sampled_from(["participant", "evaluator", "observer"]),
        coordinator=st.builds(
            CoordinatorTable,
            id=st.sampled_from(["", "ab" * 32]),
            addresses=st.lists(TEXT, max_size=3),
        ),
        data=st.builds(DataTable, path=TEXT, split=TEXT, shard=st.just("1/4")),
        task=st.builds(TaskTable, file=TEXT, allow=st.lists(TEXT, max_size=2)),
        limits=st.builds(
            Limits,
            cpu_percent=st.integers(1, 100),
            threads=st.integers(1, 64),
            max_upload_mb_per_day=st.floats(0, 1e9, allow_nan=False),
            max_upload_kb_per_s=st.floats(0, 1e9, allow_nan=False),
            run=st.sampled_from(["always", "idle", "AC"]),
            hours=st.sampled_from(["", "20:00-07:00", "00:00-23:59"]),
            leave_on=st.sampled_from(["", "2027-01-31"]),
        ),
        privacy=st.builds(
            PrivacyTable,
            require_masked=st.booleans(),
            minimum=st.integers(3, 2**15),
            colluders=st.integers(1, 2**15),
            same_model=st.integers(1, 1000),
            peers=st.lists(st.just("-".join(["ABC2"] * 8)), max_size=2),
        ),
        declare=st.dictionaries(
            st.sampled_from(["site", "ward_7", "x"]),
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=48),
        ),
    )
)
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, config: NodeConfig
) -> None:
    path = tmp_path_factory.mktemp("config") / "node.toml"
    save(path, config)
    assert load(path) == config
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "node.toml") == NodeConfig()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("label = 'a'\nlabel = 'b'\n", 2, "label"),
        ("label = 'a'\nrole = 'king'\n", 2, "role"),
        ("label = 'a'\ncolour = 'b'\n", 2, "colour"),
        ("[data]\npath = 'x'\n\n[limits]\n# many\nthreads = 'two'\n", 6, "limits.threads"),
        ("[limits]\nthreads = 0\n", 2, "limits.threads"),
        ("[limits]\nspeed = 1\n", 2, "limits.speed"),
        ("[limits]\ncpu_percent = 0\n", 2, "limits.cpu_percent"),
        ("[limits]\nrun = 'now'\n", 2, "limits.run"),
        ("[limits]\nhours = '7-20'\n", 2, "limits.hours"),
        ("[limits]\nthreads = 2\nhours = '07:00-07:00'\n", 3, "no time at all"),
        ("[limits]\nleave_on = '2027-02-30'\n", 2, "no day 2027-02-30"),
        ("[coordinator]\nid = 'zz'\n", 2, "coordinator.id"),
        ("[coordinator]\naddresses = ['a', 3]\n", 2, "coordinator.addresses"),
        ("[data]\nshard = 'all'\n", 2, "data.shard"),
        ("[privacy]\nminimum = 2\n", 2, "privacy.minimum"),
        ("[privacy]\nrequire_masked = true\ncolluders = 0\n", 3, "privacy.colluders"),
        ("[privacy]\nsame_model = 0\n", 2, "privacy.same_model"),
        ("[privacy]\npeers = ['ABC2']\n", 2, "privacy.peers"),
        ("[privacy]\nrequire_masked = 1\n", 2, "privacy.require_masked"),
        ("role = \n", 1, "role ="),
    ],
)
def test_mistakes_are_named_with_file_line_and_key(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    path = tmp_path / "node.toml"
    path.write_text(text)
    with pytest.raises(Refused) as refusal:
        load(path)
    said = refusal.value.text
    assert str(path) in said
    assert f"line {line}" in said
    assert words in said
    assert refusal.value.exit_code == 2


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(b"label = '\xff'\n")
    with pytest.raises(Refused):
        load(path)


@pytest.mark.parametrize("text", ["4/4", "1", "a/b", "-1/4", "1/0", "0/0"])
def test_shards_that_cannot_be(text: str) -> None:
    with pytest.raises(Refused):
        parse_shard(text)


def test_shards_count_from_zero() -> None:
    assert parse_shard("3/4") == (3, 4)


def test_a_disk_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "node.toml"
    save(path, NodeConfig(label="old"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="space"):
        save(path, NodeConfig(label="new"))
    monkeypatch.undo()
    assert load(path).label == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["node.toml"]
    assert configs.NodeConfig().limits.threads == 1


def test_a_key_of_older_files_that_did_nothing_is_passed_over(home: Profile) -> None:
    home.config.write_text("[privacy]\nallow_visible_updates = true\nminimum = 5\n")
    config = configs.load(home.config)
    assert config.privacy.minimum == 5
    configs.save(home.config, config)
    assert "allow_visible" not in home.config.read_text()


def test_a_file_from_before_there_were_more_limits_still_loads(home: Profile) -> None:
    home.config.write_text("[limits]\nthreads = 2\nmemory_mb = 0\nmax_upload_mb_per_day = 500\n")
    assert load(home.config).limits == Limits(threads=2, max_upload_mb_per_day=500)
