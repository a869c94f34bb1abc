"""Draw docs/state-diagrams.md from the machines' TRANSITIONS, and one of them for masked rounds.

python docs/make_diagrams.py        writes both; a test fails while one is out of date
"""

from enum import Enum
from pathlib import Path

from fedtui.rounds import coordinator, federation, masked, participant

TARGET = Path(__file__).with_name("state-diagrams.md")
MASKED = Path(__file__).with_name("secure-aggregation.md")
BEGIN = "<!-- drawn from fedtui/rounds/masked.py by docs/make_diagrams.py -->\n"
END = "<!-- end -->\n"
MACHINES = {
    "Federation": (federation, "What the coordinator does between rounds and around them."),
    "RoundCoordinator": (coordinator, "One attempt of one round, as the coordinator sees it."),
    "MaskedAttempt": (masked, "One attempt whose updates the coordinator sees as a sum only."),
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


def with_diagram(page: str) -> str:
    """The page on secure aggregation with its diagram as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = diagram(masked.Phase, dict(masked.TRANSITIONS))
    return before + BEGIN + "\n".join(lines) + "\n" + END + after


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    MASKED.write_text(with_diagram(MASKED.read_text(encoding="utf-8")), encoding="utf-8")
