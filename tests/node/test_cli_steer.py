"""`fedtui pause resume leave limit retry withdraw`: what they ask of the node, and say."""

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from fake_node import FakeNode

from fedtui.status import Limits, LimitsSet, Refused
from node import cli, launch
from node import config as configs
from node.cli_steer import after, moment
from node.paths import Profile

HERE = datetime(2026, 11, 24, 17, 30, 15, tzinfo=timezone(timedelta(hours=1)))


def fedtui(*arguments: str) -> int:
    return cli._run(["--profile", "p", *arguments])


@pytest.fixture
def joined(running: FakeNode) -> FakeNode:
    asyncio.run(running.join())
    return running


def test_the_next_time_a_clock_shows_it() -> None:
    assert moment("18:00", HERE) == HERE.replace(hour=18, minute=0, second=0)
    assert moment("17:30", HERE) == HERE.replace(hour=17, minute=30, second=0) + timedelta(days=1)
    assert moment("7:05", HERE).day == 25


@pytest.mark.parametrize("text", ["24:00", "18", "18:60", "", "6pm", "18:00:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Refused, match="is no time") as refusal:
        moment(text, HERE)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("2h", 7200), ("1d", 86_400), ("1440m", 86_400)]
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert after(text, HERE) - HERE == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0h", "2", "h", "-1h", "1w", "99999m"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(Refused):
        after(text, HERE)


def test_a_pause_with_an_end_says_when(
    joined: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("pause", "--for", "2h") == 0
    left_s = joined.board.status.pause_until - datetime.now(UTC).timestamp()
    assert 7000 < left_s <= 7200
    assert "or 'fedtui --profile p resume'" in capsys.readouterr().err
    assert fedtui("pause", "--until", "18:00") == 0
    end = datetime.fromtimestamp(joined.board.status.pause_until, UTC).astimezone()
    assert (end.hour, end.minute) == (18, 0)
    assert not joined.shared_stopped


def test_pause_now_stops_sharing(joined: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert fedtui("pause", "--now") == 0
    assert joined.shared_stopped
    assert "nothing is connected" in capsys.readouterr().err


def test_one_way_to_pause_at_a_time(joined: FakeNode) -> None:
    assert fedtui("pause", "--now", "--for", "1h") == 2
    assert fedtui("pause", "--until", "18:00", "--for", "1h") == 2
    assert not joined.shared_stopped
    assert joined.board.status.state == "asking"


def test_leaving_after_the_round_does_not_wait_for_it(
    joined: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("leave", "--after-round", "--forget", "--yes") == 0
    assert joined.board.status.leaving
    assert joined.forgot
    assert "to stay: fedtui --profile p resume" in capsys.readouterr().err


def test_limits_are_changed_one_by_one(
    running: FakeNode, home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    configs.save(home.config, configs.NodeConfig(limits=Limits(threads=3, leave_on="2099-01-31")))
    options = ("--cpu", "50", "--upload-per-day", "500", "--upload-rate", "100", "--run", "AC")
    assert fedtui("limit", *options, "--hours", "20:00-07:00", "--leave-on", "never") == 0
    assert running.board.status.limits == Limits(
        cpu_percent=50,
        threads=3,
        max_upload_mb_per_day=500,
        max_upload_kb_per_s=100,
        run="AC",
        hours="20:00-07:00",
    )
    said = capsys.readouterr().out
    for words in ("50% of 3 threads", "500 MB", "100 kB/s", "not on battery", "20:00 to 07:00"):
        assert words in said


def test_without_options_limits_are_printed_and_nothing_changes(
    running: FakeNode, home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    configs.save(home.config, configs.NodeConfig(limits=Limits(threads=2)))
    assert fedtui("limit") == 0
    assert "100% of 2 threads" in capsys.readouterr().out
    assert running.board.status.limits == Limits()
    assert fedtui("limit", "--json") == 0
    assert json.loads(capsys.readouterr().out)["threads"] == 2


def test_limits_of_a_node_that_does_not_run_are_written(home: Profile) -> None:
    configs.save(home.config, configs.NodeConfig(label="alder"))
    assert fedtui("limit", "--cpu", "30", "--hours", "08:00-17:00") == 0
    config = configs.load(home.config)
    assert (config.label, config.limits.cpu_percent) == ("alder", 30)
    assert fedtui("limit", "--hours", "any") == 0
    assert configs.load(home.config).limits == Limits(cpu_percent=30)


@pytest.mark.parametrize(
    "option",
    [
        ("--cpu", "0"),
        ("--cpu", "101"),
        ("--run", "sometimes"),
        ("--hours", "8-17"),
        ("--hours", "08:00-08:00"),
        ("--leave-on", "tomorrow"),
        ("--leave-on", "2027-02-30"),
        ("--threads", "0"),
    ],
)
def test_limits_that_cannot_be_are_2_and_change_nothing(
    running: FakeNode, home: Profile, option: tuple[str, str]
) -> None:
    assert fedtui("limit", *option) == 2
    assert running.board.status.limits == Limits()
    assert not home.config.exists()


def test_status_shows_limits_rest_and_leaving(
    running: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(running.join())
    asyncio.run(running.leave(after_round=True))
    running.board.post(LimitsSet(limits=Limits(cpu_percent=25, hours="20:00-07:00")))
    running.board.state("resting", "you let it work from 20:00 to 07:00 only; again at 20:00")
    assert fedtui("status") == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("RESTING", "again at 20:00", "25% of 1 thread", "to stay: fedtui --profile p"):
        assert words in said


def test_retry_and_withdraw_reach_the_node(
    joined: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("retry") == 0
    assert joined.retried == 1
    assert fedtui("withdraw") == 0
    assert not joined.board.status.consented
    assert "fedtui --profile p join" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("retry",), ("withdraw",), ("pause", "--now")])
def test_without_a_node_they_are_6(home: Profile, command: tuple[str, ...]) -> None:
    assert fedtui(*command) == 6


def test_leave_waits_until_the_daemon_is_gone(
    joined: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []

    async def gone(home: Profile) -> None:
        waited.append(home.name)

    monkeypatch.setattr(launch, "gone", gone)
    assert fedtui("leave", "--yes") == 0
    assert waited == ["p"]
