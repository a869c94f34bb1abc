import json
import subprocess
import sys
from pathlib import Path

# The child's own code, with trackers that write down what they hear, and one that fails.
CHILD = """
import sys
from coordinator import tracking_child as child
class Noting:
    def __init__(self, name, folder):
        self.name, self.file = name, open(f"{folder}-{name}", "a", buffering=1)
    def begin(self, name, about): self.file.write(f"begin {name} {about}\\n"); print("noise")
    def round(self, number, figures, at):
        if self.name == "bad": raise OSError("x" * 5000)
        self.file.write(f"{number} {figures} {at}\\n")
    def end(self): self.file.write("end\\n")
def build(name, folder, uri):
    if name == "none": raise ValueError("not installed")
    return Noting(name, folder)
child.build_tracker = build
child.main()
"""


def test_it_tells_all_and_says_which_one_fails(tmp_path: Path) -> None:
    begin = {
        "writers": ["bad", "none", "good"],
        "folder": str(tmp_path / "t"),
        "uri": "",
        "name": "x",
        "about": {"seed": "1"},
    }
    told = [{"round": n, "figures": {"score": n / 2}, "at": 10.0 + n} for n in (1, 2)]
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input="".join(json.dumps(line) + "\n" for line in (begin, *told)),
        capture_output=True,
        text=True,
        check=True,
    )
    problems = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert problems[0] == "none is switched off: not installed"
    assert problems[1].startswith("bad is switched off: xxx")
    assert len(problems[1]) == 1000
    assert done.stderr == "noise\nnoise\n", "what packages print is no problem"
    assert (tmp_path / "t-good").read_text().splitlines() == [
        "begin x {'seed': '1'}",
        "1 {'score': 0.5} 11.0",
        "2 {'score': 1.0} 12.0",
        "end",
    ]
