"""`fedtui discover`: a line for each, harmless whatever is announced, and what to do if none."""

import asyncio
import json

import pytest

from fedtui.status import FoundCoordinator
from node import cli, discovery
from node.cli_discover import line
from node.exits import Exit
from node.paths import Profile

FOUND = (
    FoundCoordinator(
        name="lab",
        address="10.0.0.1:8443",
        federation="lab",
        id_hint="A" * 16,
        standing="known",
        known_since=1.7e9,
    ),
    FoundCoordinator(
        name="clinic",
        address="10.0.0.2:8443",
        federation="mnist",
        id_hint="B" * 16,
        standing="same name, other key",
    ),
    FoundCoordinator(name="[@click=app.quit]", address="[fd00::1]:1", federation=""),
)


class FakeFinder:
    problem = ""
    num_left_out = 0
    listed = FOUND

    def __init__(self, pinned: object) -> None:
        pass

    def found(self) -> tuple[FoundCoordinator, ...]:
        return self.listed

    async def run(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> type[FakeFinder]:
    class Here(FakeFinder):
        pass

    monkeypatch.setattr(discovery, "Finder", Here)
    return Here


def discover(*arguments: str) -> int:
    return cli._run(["--profile", "p", "discover", "--seconds", "0.1", *arguments])


def test_each_is_a_line_with_address_names_hint_and_standing(
    home: Profile, finder: type[FakeFinder], capsys: pytest.CaptureFixture[str]
) -> None:
    finder.num_left_out = 7
    assert discover() == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"10.0.0.1:8443  lab  {'A' * 16}  known since 2023-11-14 (its key will tell)",
        f"10.0.0.2:8443  clinic, mnist  {'B' * 16}  SAME NAME, OTHER KEY",
        "[fd00::1]:1  [@click=app.quit]  (no id)  new",
    ]
    assert "7 more announcements" in said.err
    assert "fedtui --profile p join --at HOST:PORT" in said.err


def test_as_json_it_is_a_list(
    home: Profile, finder: type[FakeFinder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert discover("--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["standing"] for one in listed] == ["known", "same name, other key", "new"]


def test_if_nothing_is_found_it_says_what_to_do(
    home: Profile, finder: type[FakeFinder], capsys: pytest.CaptureFixture[str]
) -> None:
    finder.listed = ()
    assert discover() == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "Multicast may be blocked" in said.err
    assert "invite" in said.err
    assert "fedtui --profile p join --at HOST:PORT" in said.err
    assert discover("--json") == 0
    assert capsys.readouterr().out == "[]\n"


def test_a_machine_that_cannot_listen_is_69(
    home: Profile, finder: type[FakeFinder], capsys: pytest.CaptureFixture[str]
) -> None:
    finder.listed, finder.problem = (), "address already in use"
    assert discover() == Exit.UNREACHABLE
    assert "address already in use" in capsys.readouterr().err


def test_a_line_is_one_line() -> None:
    assert all("\n" not in line(one) for one in FOUND)
