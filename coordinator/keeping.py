"""What `audit`, `export`, `backup` and `restore` do, once their arguments are read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from coordinator import audit, backup, lineage
from coordinator.answers import AuditVerdict, Exported, SavedReport
from coordinator.audit import Entry
from coordinator.export import export as write_export
from coordinator.layout import Layout
from coordinator.opening import load_identity, read_settings
from coordinator.reading import reading
from coordinator.refusals import BadDataError, os_refusal
from fedtui.wire.messages import AuditHead


def entries(layout: Layout, *, after: int) -> Iterator[Entry]:
    """The audit chain from the entry after this number."""
    with reading(layout) as database:
        yield from audit.entries(database.connection, after=after)


def verify(layout: Layout, held: Sequence[Path]) -> AuditVerdict:
    """Whether the chain is sound, also against the heads in these files."""
    identity = load_identity(layout)
    heads = [_head(path) for path in held]
    with reading(layout) as database:
        report = audit.verify(
            database.connection,
            federation=database.federation_id,
            key=lineage.Signers((identity.public, *lineage.former(layout, identity.id))),
            held=heads,
        )
    return AuditVerdict(
        sound=not report.problems,
        num_entries=report.num_entries,
        head=report.head.hex(),
        signed_through=report.signed_through,
        num_heads=report.num_heads,
        problems=report.problems,
    )


class _HeldHead(msgspec.Struct, frozen=True):
    sequence: int
    hash: str
    signature: str


def _head(path: Path) -> AuditHead:
    try:
        held = msgspec.json.decode(path.read_bytes(), type=_HeldHead)
        return AuditHead(
            sequence=held.sequence,
            hash=bytes.fromhex(held.hash),
            signature=bytes.fromhex(held.signature),
        )
    except OSError as error:
        raise os_refusal(error) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise BadDataError(f"{path} holds no audit head: {error}") from error


def export(layout: Layout, out: Path, *, round_: int | None, torch: bool) -> Exported:
    """Write the folder `out`; see export.py."""
    settings = read_settings(layout)
    with reading(layout) as database:
        snapshot = database.snapshot()
    return write_export(settings, snapshot, out.absolute(), round_=round_, torch=torch)


def make_backup(layout: Layout, target: Path, *, with_identity: bool) -> SavedReport:
    """Write the folder `target`; see backup.py."""
    return _report(backup.backup(layout.root, target.absolute(), with_identity=with_identity))


def restore(layout: Layout, source: Path) -> SavedReport:
    """Make the coordinator's directory; see backup.py."""
    return _report(backup.restore(source.absolute(), layout.root))


def _report(saved: backup.Saved) -> SavedReport:
    return SavedReport(
        directory=str(saved.path),
        num_models=saved.num_models,
        newest_round=saved.newest_round,
        has_identity=saved.has_identity,
    )
