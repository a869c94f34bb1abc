import json

import pytest
from a_coordinator import a_finished_run

from coordinator import cli
from coordinator.exits import Exit
from coordinator.layout import Layout


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_finished_run(tmp_path_factory.mktemp("ran"))


def run(*arguments: object) -> int:
    return cli._run([str(argument) for argument in arguments])


def test_the_list_of_nodes(ran: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nodes", "--dir", ran.root) == Exit.OK
    assert capsys.readouterr().out.count("enrolled  away  participant") == 2
    assert run("nodes", "list", "--json", "--dir", ran.root) == Exit.OK
    assert [n["label"] for n in json.loads(capsys.readouterr().out)] == ["n1", "n3"]


def test_acting_on_a_node_needs_the_running_coordinator(
    ran: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("approve", "reject", "revoke", "evict"):
        assert run("nodes", command, "AAAA", "--dir", ran.root) == Exit.NOT_RUNNING
        assert "start it with 'fedtui-coordinator serve" in capsys.readouterr().err
