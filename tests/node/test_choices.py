"""What the operator chooses before joining lands in node.toml, or is refused as a whole."""

from pathlib import Path

import pytest

from fedtui.status import Limits, Refused, Setup
from node.choices import with_setup
from node.config import DataTable, NodeConfig, PrivacyTable

OLD = NodeConfig(label="alder", data=DataTable(path="/srv/ward", shard="1/4"))


def test_what_is_not_chosen_stays() -> None:
    assert with_setup(OLD, Setup()) == OLD


def test_what_is_chosen_is_there() -> None:
    choice = Setup(data="/srv/other", split="dirichlet:0.5", shard="2/8", visible=True)
    found = with_setup(OLD, choice, split_seed=7, threads=2)
    assert found.data == DataTable(
        path="/srv/other", split="dirichlet:0.5", shard="2/8", split_seed=7
    )
    assert found.limits == Limits(threads=2)
    assert found.privacy == PrivacyTable(require_masked=False)
    assert with_setup(found, Setup(visible=False)).privacy == PrivacyTable()


def test_a_name_is_cleaned_and_a_new_node_gets_that_of_its_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "alder-ws.ward.example")
    assert with_setup(OLD, Setup(label="al\x1bice")).label == "alice"
    assert with_setup(OLD, Setup(label="\x1b")).label == "node"
    assert with_setup(NodeConfig(), Setup()).label == "alder-ws"


@pytest.mark.parametrize(
    "choice",
    [Setup(role="king"), Setup(shard="4/4"), Setup(shard="x"), Setup(data="ward")],
)
def test_what_cannot_be_is_refused(choice: Setup) -> None:
    with pytest.raises(Refused) as refusal:
        with_setup(OLD, choice)
    assert refusal.value.exit_code == 2


def test_home_is_this_operators() -> None:
    assert with_setup(OLD, Setup(data="~/ward")).data.path == str(Path.home() / "ward")
