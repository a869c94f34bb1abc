"""Documents promise only what exists: IDs have tests, tables no holes, links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ID = re.compile(r"\b[A-Z]\d{1,2}\b")
TEST_NAMES = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text())
}


def rows_of(path: Path, *, header: str) -> list[list[str]]:
    """The cells of every row of the tables whose header line starts with `header`."""
    rows, inside = [], False
    for line in path.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith(f"| {header} |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not set(line) <= set("|-: "):
            rows.append(cells)
    return rows


def has_test(fault: str) -> bool:
    return any(re.search(rf"_{fault}(_|$)", name) for name in TEST_NAMES)


def test_no_document_holds_two_versions_of_itself() -> None:
    """What a merge leaves behind where nobody decided."""
    left = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
    for path in (ROOT / "CHANGELOG.md", *DOCUMENTS):
        assert not left.search(path.read_text()), path


def test_every_security_claim_names_tests_that_exist() -> None:
    rows = rows_of(ROOT / "docs" / "threat-model.md", header="claim")
    assert len(rows) > 10
    for claim, _, tests in rows:
        ids = ID.findall(tests)
        assert ids, f"no test is named for: {claim}"
        assert [i for i in ids if not has_test(i)] == [], claim


def test_every_fault_has_a_test_a_message_and_an_exit_code() -> None:
    rows = rows_of(ROOT / "docs" / "faults.md", header="condition")
    assert len(rows) >= 25
    for row in rows:
        assert all(row), f"an empty cell: {row}"
        for name in re.findall(r"`(test_\w+)`", " ".join(row)):
            assert name in TEST_NAMES, f"{name} does not exist: {row[0]}"
        assert re.search(r"`test_\w+`", " ".join(row)), f"no test named: {row[0]}"


REQUIRED = [f"S{n}" for n in range(1, 10)] + [f"E{n}" for n in range(1, 5)]
REQUIRED += ["K1", "K2", "L1", "L2", "L3"] + [f"R{n}" for n in range(1, 7)]
REQUIRED += ["P1", "P2", "P3", "D1", "D2", "D3"]


@pytest.mark.parametrize("fault", REQUIRED)
def test_every_fault_of_the_catalogue_has_a_test(fault: str) -> None:
    assert has_test(fault), f"no test carries {fault} in its name"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_files_that_documents_name_exist(path: Path) -> None:
    named = re.findall(
        r"`((?:fedtui|node|coordinator|tests|benchmarks|docs)/[\w./-]+\.\w+)`", path.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
