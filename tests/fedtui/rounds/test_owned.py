from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from fedtui import plugins
from fedtui.rounds import choices, owned, plan
from fedtui.rounds.plan import (
    AggregatorSection,
    FederationSection,
    Named,
    Plan,
    SelectionSection,
    TaskSection,
)

MINE = """
from dataclasses import dataclass
from fedtui.strategies.fedavg import FedAvg
@dataclass(frozen=True, slots=True)
class Mine(FedAvg):
    pass
build = Mine
"""
RULE = """
from dataclasses import dataclass
from fedtui.selection.uniform import Uniform
@dataclass(frozen=True, slots=True)
class Rule(Uniform):
    attribute: str = ""
build = Rule
"""
AGGREGATOR = """
from dataclasses import dataclass
from fedtui.aggregators.mean import Mean
@dataclass(frozen=True, slots=True)
class Rule(Mean):
    pass
build = Rule
"""
PLAN = Plan(
    federation=FederationSection(name="f"),
    task=TaskSection(name="digits"),
    strategy=Named(name="fedavg"),
)


@dataclass
class Own:
    """A folder of own plug-ins, and what their files have for a hash."""

    folder: Path

    def write(self, kind: str, name: str, text: str) -> str:
        path = self.folder / kind / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return plugins.file_hash(path.read_bytes())


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.setenv(plugins.OWN_VARIABLE, "")  # so that it is put back
    plugins.use_own(tmp_path)
    return Own(tmp_path)


def strategy(name: str, sha256: str = "") -> Plan:
    return msgspec.structs.replace(PLAN, strategy=Named(name=name, sha256=sha256))


def selection(name: str, sha256: str = "", **options: str) -> Plan:
    section = SelectionSection(name=name, sha256=sha256, options=dict(options))
    return msgspec.structs.replace(PLAN, selection=section)


def aggregator(name: str, sha256: str = "") -> Plan:
    section = AggregatorSection(name=name, sha256=sha256)
    return msgspec.structs.replace(PLAN, aggregator=section)


def test_an_own_strategy_is_pinned_and_fits(own: Own) -> None:
    digest = own.write("strategies", "mine", MINE)
    assert plan.check(strategy("mine", digest)) == []
    (said,) = plan.check(strategy("mine"))
    assert f'write sha256 = "{digest}"' in said
    (said,) = plan.check(strategy("mine", "0" * 64))
    assert digest in said
    assert "0" * 64 in said
    assert "a file of your own" not in said


def test_a_strategy_that_is_not_here_is_one_sentence_that_says_what_to_do(own: Own) -> None:
    del own
    (said,) = plan.check(strategy("mine", "0" * 64))
    assert "not here" in said
    assert "fedtui strategy add mine.py" in said


def test_what_comes_with_fedtui_is_not_pinned(own: Own) -> None:
    (said,) = plan.check(strategy("fedavg", "0" * 64))
    assert "leave sha256 away" in said
    own.write("strategies", "fedavg", MINE)
    (said,) = plan.check(strategy("fedavg"))
    assert "call it otherwise" in said


def test_nodes_need_no_selection(own: Own) -> None:
    elsewhere = selection("rule", "0" * 64, attribute="site")
    assert plan.check(elsewhere) == []
    assert choices.asked(elsewhere) == ("site",)
    digest = own.write("selection", "rule", RULE)
    assert plan.check(selection("rule", digest, attribute="site")) == []
    assert choices.asked(selection("rule", digest, attribute="site")) == ("site",)
    assert not owned.is_elsewhere(selection("rule", digest))
    (said,) = owned.conflicts(selection("rule", "1" * 64))
    assert digest in said


def test_nodes_need_no_aggregator(own: Own) -> None:
    elsewhere = aggregator("rule", "0" * 64)
    assert plan.check(elsewhere) == []
    digest = own.write("aggregators", "rule", AGGREGATOR)
    assert plan.check(aggregator("rule", digest)) == []
    (said,) = plan.check(aggregator("rule", "1" * 64))
    assert digest in said
    (said,) = plan.check(aggregator("rule"))
    assert f'write sha256 = "{digest}"' in said


def test_a_broken_file_is_a_sentence(own: Own) -> None:
    digest = own.write("strategies", "mine", "import nothing_such\n")
    found = plan.check(strategy("mine", digest))
    assert any("line 1 failed: ModuleNotFoundError" in said for said in found)
