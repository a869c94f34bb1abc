"""The house rules that a static import graph cannot see, and those that hold for the tree."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("fedtui", "node", "coordinator")
SOURCES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))

# What each entry must never pull in at run time, whatever plug-ins and lazy imports do.
HEADLESS = ("torch", "scipy", "sklearn", "textual", "ray", "dp_accounting")
ENTRIES = [
    "node.service",
    "coordinator.service",
    "fedtui.rounds.federation",
    "fedtui.control.client",
]

# Modules that another module's tests exercise, and where.
TESTED_IN = {
    "coordinator/__main__.py": "tests/coordinator/test_cli.py",
    "coordinator/answers.py": "tests/coordinator/test_commands.py",
    "coordinator/card.py": "tests/coordinator/test_export.py",
    "coordinator/cli_keep.py": "tests/coordinator/test_cli.py",
    "coordinator/cli_key.py": "tests/coordinator/test_rotating.py",
    "coordinator/cli_nodes.py": "tests/coordinator/test_cli.py",
    "coordinator/cli_options.py": "tests/coordinator/test_cli.py",
    "coordinator/cli_plan.py": "tests/coordinator/test_plans.py",
    "coordinator/cli_start.py": "tests/coordinator/test_cli.py",
    "coordinator/cli_status.py": "tests/coordinator/test_cli.py",
    "coordinator/vectorfiles.py": "tests/fedtui/combining/test_visible.py",
    "fedtui/aggregators/base.py": "tests/fedtui/aggregators/test_mean.py",
    "fedtui/attacks/base.py": "tests/contracts/test_every_attack.py",
    "fedtui/combining/ageing.py": "tests/fedtui/strategies/test_fedbuff.py",
    "fedtui/rounds/masking_steps.py": "tests/fedtui/rounds/test_masked_participant.py",
    "fedtui/rounds/phases.py": "tests/fedtui/rounds/test_participant.py",
    "fedtui/control/viewonly.py": "tests/fedtui/control/test_replay.py",
    "fedtui/demo/main.py": "tests/loopback/test_demo.py",
    "fedtui/demo/progress.py": "tests/fedtui/demo/test_watch.py",
    "fedtui/demo/screen.py": "tests/loopback/test_demo_on_a_terminal.py",
    "fedtui/leakage/seized_tables.py": "tests/fedtui/leakage/test_seized.py",
    "fedtui/link/live.py": "tests/loopback/test_link_and_server.py",
    "fedtui/link/sockets.py": "tests/loopback/test_link_and_server.py",
    "fedtui/selection/base.py": "tests/contracts/test_every_selection.py",
    "fedtui/experiments/cli.py": "tests/loopback/test_simulate.py",
    "fedtui/wire/fields.py": "tests/fedtui/wire/test_messages.py",
    "fedtui/wire/masked_messages.py": "tests/fedtui/wire/test_messages.py",
    "fedtui/experiments/cli_run.py": "tests/loopback/test_simulate.py",
    "fedtui/experiments/engines.py": "tests/loopback/test_simulate.py",
    "fedtui/experiments/main.py": "tests/loopback/test_simulate.py",
    "fedtui/experiments/recorder.py": "tests/fedtui/experiments/test_running.py",
    "fedtui/simulation/blame.py": "tests/fedtui/experiments/test_running.py",
    "fedtui/simulation/bookkeeping.py": "tests/fedtui/simulation/test_village.py",
    "fedtui/simulation/engine.py": "tests/contracts/test_every_engine.py",
    "fedtui/simulation/federation.py": "tests/fedtui/simulation/test_world.py",
    "fedtui/simulation/habits.py": "tests/fedtui/simulation/test_village.py",
    "fedtui/simulation/hands.py": "tests/fedtui/simulation/test_village.py",
    "fedtui/simulation/jobs.py": "tests/contracts/test_every_engine.py",
    "fedtui/simulation/memory.py": "tests/fedtui/experiments/test_running.py",
    "fedtui/simulation/report.py": "tests/fedtui/experiments/test_tables.py",
    "fedtui/simulation/watch.py": "tests/fedtui/simulation/test_invariants.py",
    "fedtui/simulation/work.py": "tests/fedtui/simulation/test_world.py",
    "fedtui/status/controls.py": "tests/fedtui/control/test_client.py",
    "fedtui/status/limits.py": "tests/node/test_config.py",
    "fedtui/status/parts.py": "tests/fedtui/status/test_events.py",
    "fedtui/privacy/accounting_child.py": "tests/fedtui/privacy/test_accounting.py",
    "fedtui/rounds/beside.py": "tests/fedtui/rounds/test_masked_work.py",
    "fedtui/strategies/base.py": "tests/contracts/test_every_strategy.py",
    "fedtui/tracking/base.py": "tests/contracts/test_every_tracker.py",
    "fedtui/transforms/base.py": "tests/contracts/test_every_transform.py",
    "fedtui/tui/command.py": "tests/fedtui/tui/test_commands.py",
    "fedtui/tui/coordinator/asking.py": "tests/fedtui/tui/coordinator/test_app.py",
    "fedtui/tui/coordinator/doing.py": "tests/fedtui/tui/coordinator/test_app.py",
    "fedtui/tui/doing.py": "tests/fedtui/tui/test_commands.py",
    "fedtui/tui/modals/base.py": "tests/fedtui/tui/modals/test_confirm.py",
    "fedtui/tui/modals/doors.py": "tests/fedtui/tui/modals/test_confirm.py",
    "fedtui/tui/modals/fields.py": "tests/fedtui/tui/modals/join/test_wizard.py",
    "fedtui/tui/modals/join/agree.py": "tests/fedtui/tui/modals/join/test_wizard.py",
    "fedtui/tui/modals/join/find.py": "tests/fedtui/tui/modals/join/test_wizard.py",
    "fedtui/tui/modals/join/limits.py": "tests/fedtui/tui/modals/join/test_wizard.py",
    "fedtui/tui/modals/join/stepview.py": "tests/fedtui/tui/modals/join/test_wizard.py",
    "fedtui/tui/modals/join/verify.py": "tests/fedtui/tui/modals/join/test_wizard.py",
    "fedtui/tui/modals/join/wait.py": "tests/fedtui/tui/modals/join/test_wizard.py",
    "fedtui/tui/modals/qr.py": "tests/fedtui/tui/modals/test_identity.py",
    "fedtui/tui/onscreen.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/outside.py": "tests/fedtui/tui/test_wishes.py",
    "fedtui/tui/palette.py": "tests/loopback/test_screen_in_a_terminal.py",
    "fedtui/tui/panes/empty.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/quick.py": "tests/fedtui/tui/test_commands.py",
    "fedtui/tui/screens/base.py": "tests/fedtui/tui/screens/test_overview.py",
    "fedtui/tui/screens/eventdetail.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/screens/filtered.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/screens/modes.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/screens/rounds.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/sheets.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/view.py": "tests/fedtui/tui/test_store.py",
    "fedtui/tui/widgets/eventlog.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/widgets/filterbar.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/widgets/footer.py": "tests/fedtui/tui/screens/test_overview.py",
    "fedtui/tui/widgets/live.py": "tests/fedtui/tui/screens/test_overview.py",
    "fedtui/tui/widgets/logline.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/widgets/minute.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/tui/widgets/pane.py": "tests/fedtui/tui/screens/test_screens.py",
    "fedtui/wire/events.py": "tests/fedtui/wire/test_session.py",
    "fedtui/wire/halves.py": "tests/fedtui/wire/test_session.py",
    "fedtui/wire/receiving.py": "tests/fedtui/wire/test_bulk.py",
    "fedtui/wire/sending.py": "tests/fedtui/wire/test_bulk.py",
    "fedtui/wire/tally.py": "tests/fedtui/wire/test_session.py",
    "node/__main__.py": "tests/node/test_cli.py",
    "node/beginning.py": "tests/node/test_membership.py",
    "node/belonging.py": "tests/node/test_membership.py",
    "node/cli_screen.py": "tests/loopback/test_screen_in_a_terminal.py",
    "node/dial.py": "tests/loopback/test_link_and_server.py",
    "node/trainer_child.py": "tests/node/test_trainer.py",
    "node/trainer_files.py": "tests/node/test_trainer.py",
}
MAX_LINES = 500


@pytest.mark.parametrize("entry", ENTRIES)
def test_headless_parts_load_no_torch_and_no_screen(entry: str) -> None:
    code = (
        f"import sys, {entry}\n"
        f"loaded = sorted(set(m.partition('.')[0] for m in sys.modules) & set({HEADLESS!r}))\n"
        "sys.exit(' '.join(loaded) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{entry} loads {done.stderr}"


def test_the_screen_starts_without_torch_and_without_what_only_a_modal_needs() -> None:
    code = "import sys, fedtui.tui.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert (
        loaded & {"torch", "numpy", "segno", "textual_fspicker", "fedtui.tui.modals.base"} == set()
    )
    assert "fedtui.tui.screens.events" in loaded


def test_importing_fedtui_costs_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import fedtui; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["fedtui"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_what_it_owns_and_is_small(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no docstring says what this file owns"
    assert text.count("\n") <= MAX_LINES, "too many rooms in one file"


def test_C2_nothing_unpickles_or_runs_what_the_network_says() -> None:
    banned_modules = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    banned_calls = {"eval", "exec", "__import__"}
    allowed = {("fedtui/plugins.py", "exec")}  # the operator's own task file, pinned by its hash
    found = []
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    found += [(name, a.name) for a in names if a.name in banned_modules]
                case ast.ImportFrom(module=str(module)) if module in banned_modules:
                    found.append((name, module))
                case ast.Call(func=ast.Name(id=called)) if called in banned_calls:
                    found.append((name, called))
                case ast.Call(func=ast.Attribute(attr="load", value=ast.Name(id="torch"))):
                    found.append((name, "torch.load"))
                case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                    found.append((name, "allow_pickle"))
                case _:
                    pass
    assert [f for f in found if f not in allowed] == []


def test_every_module_has_a_test_file() -> None:
    missing = []
    tested = {p.name for p in (ROOT / "tests").rglob("test_*.py")}
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        if path.stem == "__init__" or name in TESTED_IN or "/migrations/" in name:
            continue
        if f"test_{path.stem}.py" not in tested:
            missing.append(name)
    assert missing == [], "write tests/<package>/test_<module>.py, or say here where it is tested"


def test_the_list_of_modules_tested_elsewhere_is_not_stale() -> None:
    pairs = [part for pair in TESTED_IN.items() for part in pair]
    assert [name for name in pairs if not (ROOT / name).exists()] == []


def test_simulations_have_no_round_logic_of_their_own() -> None:
    """What decides in a simulation are the machines of fedtui/rounds, and nothing beside them.

    A second set of phases, transitions or `handle(event, now)` would be a machine of its own, and
    so would be a subclass that changes what one of them does.
    """
    machines = {"Federation", "RoundParticipant", "MaskedParticipant", "RoundCoordinator"}
    machines |= {"MaskedRound", "Attempt", "Evaluating", "MaskedEvaluation", "MaskedWork"}
    found = []
    for folder in ("simulation", "experiments"):
        for path in sorted((ROOT / "fedtui" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    bases = {getattr(b, "id", getattr(b, "attr", "")) for b in node.bases}
                    found += [f"{path.name}: {node.name}({b})" for b in bases & machines]
                if isinstance(node, ast.FunctionDef) and node.name == "handle":
                    found.append(f"{path.name}: handle()")
                if isinstance(node, ast.Name) and node.id == "TRANSITIONS":
                    found.append(f"{path.name}: TRANSITIONS")
    assert not found
    host = (ROOT / "fedtui/simulation/coordinator_host.py").read_text()
    assert "from fedtui.rounds.federation import Federation\n" in host
    node = (ROOT / "fedtui/simulation/node_host.py").read_text()
    assert "from fedtui.rounds.participant import RoundParticipant\n" in node
    assert "from fedtui.rounds.masked_participant import MaskedParticipant\n" in node


def test_a_node_reads_a_plan_without_loading_what_only_the_coordinator_draws_with() -> None:
    """numpy.random is 2 MB of a daemon that never picks a cohort."""
    code = (
        "import sys, node.daemon\n"
        "from fedtui.rounds.plan import FederationSection, Plan, TaskSection, check\n"
        "check(Plan(federation=FederationSection(name='f'), task=TaskSection(name='digits')))\n"
        "print('numpy.random' in sys.modules, 'fedtui.selection.uniform' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
