"""Draw docs/state-diagrams.md from the TRANSITIONS tables of the machines.

python docs/make_diagrams.py        writes the file; a test fails while it is out of date
"""

from enum import Enum
from pathlib import Path

from fedtui.rounds import coordinator, federation, participant

TARGET = Path(__file__).with_name("state-diagrams.md")
MACHINES = {
    "Federation": (federation, "What the coordinator does between rounds and around them."),
    "RoundCoordinator": (coordinator, "One attempt of one round, as the coordinator sees it."),
    "RoundParticipant": (participant, "Every round, as one node sees it."),
}
HEAD = """# State diagrams

Drawn by `docs/make_diagrams.py` from the `TRANSITIONS` tables in `fedtui/rounds/`; do not edit.
A machine that makes a transition which its table lacks raises, and a test fails.
"""


def diagram(phases: type[Enum], transitions: dict[tuple[Enum, str], Enum]) -> list[str]:
    """One Mermaid state diagram; the first phase is where a machine begins."""
    first = next(iter(phases))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first.name}"]
    lines += [f"    {phase.name}: {phase.name}<br/>{phase.value}" for phase in phases]
    lines += [f"    {a.name} --> {b.name}: {label}" for (a, label), b in transitions.items()]
    starts = {start for start, _ in transitions}
    lines += [f"    {phase.name} --> [*]" for phase in phases if phase not in starts]
    return [*lines, "```"]


def document() -> str:
    """The whole page."""
    parts = [HEAD]
    for name, (module, sentence) in MACHINES.items():
        lines = diagram(module.Phase, dict(module.TRANSITIONS))
        path = module.__name__.replace(".", "/") + ".py"
        parts.append(f"## {name}\n\n{sentence} (`{path}`)\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
