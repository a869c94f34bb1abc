"""What a restarted coordinator reads back from the tables.

The answer is defined by fedtui.rounds.history: it equals `replay` of all records ever committed,
with the nodes of a set in order of their id. Before survivors are chosen an attempt is lost, and
the next is `last_attempt + 1`; after that the same attempt is finished, from the spool, with
exactly `open.survivors`. A masked attempt that fails after that burns its round's number.
"""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, RowMapping, Table, and_, func, select

from coordinator import schema
from fedtui.rounds.history import Answer, FederationSnapshot, FinishedRound, OpenAttempt
from fedtui.rounds.records import Sums, UpdateReceived
from fedtui.rounds.spread import Spread

_spread = msgspec.msgpack.Decoder(Spread).decode
_sums = msgspec.msgpack.Decoder(Sums).decode


def load(connection: Connection, federation: bytes) -> FederationSnapshot | None:
    """The federation as it stands; None if no model and no round was ever recorded."""
    c = schema.federations.c
    row = connection.execute(select(schema.federations).where(c.id == federation)).one()
    rounds = schema.rounds
    attempts = connection.execute(
        select(rounds)
        .where(rounds.c.federation == federation)
        .order_by(rounds.c.n, rounds.c.attempt)
    ).mappings()
    begun = {(r["n"], r["attempt"]): r for r in attempts}
    finished = _finished(connection, federation, begun)
    if not begun and not finished:
        return None
    burnt = [n for (n, _), r in begun.items() if r["outcome"] == "failed" and r["frozen"]]
    open_ = [r for r in begun.values() if r["outcome"] == "open"]
    return FederationSnapshot(
        rounds=finished,
        open=_open(connection, federation, open_[-1]) if open_ else None,
        last_attempt=max(begun, default=(0, 0)),
        burnt=max(burnt, default=0),
        paused=row.paused,
        ended=row.ended,
        result_round=row.result_round,
        answers=_answers(connection, federation),
    )


def _finished(
    connection: Connection, federation: bytes, begun: Mapping[tuple[int, int], RowMapping]
) -> tuple[FinishedRound, ...]:
    cohorts = _members(connection, schema.roster, federation)
    survivors = _members(connection, schema.survivors, federation)
    same = {nodes: nodes for nodes in (*survivors.values(), *cohorts.values())}
    scores = _scores(connection, federation)
    c = schema.checkpoints.c
    done = []
    rows = select(schema.checkpoints).where(c.federation == federation).order_by(c.n)
    for row in connection.execute(rows):
        key = (row.n, row.attempt)
        score = scores.get(row.n)
        done.append(
            FinishedRound(
                round=row.n,
                attempt=row.attempt,
                model_digest=row.digest,
                num_bytes=row.bytes,
                checkpoint_name=row.path,
                cohort=same.get(cohorts.get(key, ()), ()),
                survivors=same.get(survivors.get(key, ()), ()),
                sums=_sums(row.sums),
                seconds=row.seconds,
                score=score["score"] if score else None,
                score_sums=_sums(score["sums"]) if score else {},
                num_evaluators=score["num_nodes"] if score else 0,
                spread=_spread(row.spread) if row.spread else None,
                num_ready=begun[key]["num_ready"] or 0 if key in begun else 0,
                rolled_back=row.rolled_back or "",
            )
        )
    return tuple(done)


def _members(
    connection: Connection, table: Table, federation: bytes
) -> dict[tuple[int, int], tuple[bytes, ...]]:
    """The nodes of every attempt, from `roster` or `survivors`."""
    found: dict[tuple[int, int], list[bytes]] = {}
    ids: dict[bytes, bytes] = {}
    c = table.c
    rows = select(c.round, c.attempt, c.node).where(c.federation == federation)
    for row in connection.execute(rows.order_by(c.node)):
        found.setdefault((row.round, row.attempt), []).append(ids.setdefault(row.node, row.node))
    return {key: tuple(nodes) for key, nodes in found.items()}


def _answers(connection: Connection, federation: bytes) -> dict[bytes, Answer]:
    """Each node's newest update in a committed round."""
    s, c, u = schema.survivors.c, schema.checkpoints.c, schema.updates.c
    committed = and_(c.federation == s.federation, c.n == s.round, c.attempt == s.attempt)
    newest = (
        select(s.node, func.max(s.round).label("round"))
        .join_from(schema.survivors, schema.checkpoints, committed)
        .where(s.federation == federation)
        .group_by(s.node)
        .subquery()
    )
    rows = (
        select(u.node, u.seconds, u.sums)
        .join_from(
            schema.updates, newest, and_(newest.c.node == u.node, newest.c.round == u.round)
        )
        .join(
            schema.checkpoints,
            and_(c.federation == u.federation, c.n == u.round, c.attempt == u.attempt),
        )
        .where(u.federation == federation)
    )
    return {
        row.node: Answer(row.seconds or 0.0, _sums(row.sums)) for row in connection.execute(rows)
    }


def _scores(connection: Connection, federation: bytes) -> dict[int, RowMapping]:
    mine = schema.evaluations.c.federation == federation
    rows = connection.execute(select(schema.evaluations).where(mine)).mappings()
    return {row["n"]: row for row in rows}


def _open(connection: Connection, federation: bytes, row: RowMapping) -> OpenAttempt:
    cohort, updates, survivors = (
        connection.execute(
            select(table)
            .where(
                and_(
                    table.c.federation == federation,
                    table.c.round == row["n"],
                    table.c.attempt == row["attempt"],
                )
            )
            .order_by(table.c.node)
        ).all()
        for table in (schema.roster, schema.updates, schema.survivors)
    )
    return OpenAttempt(
        round=row["n"],
        attempt=row["attempt"],
        phase=row["phase"],
        model_digest=row["model_digest"],
        cohort=tuple(member.node for member in cohort),
        updates=tuple(
            UpdateReceived(
                update.round,
                update.attempt,
                node=update.node,
                digest=update.digest,
                num_bytes=update.bytes,
                weight=update.weight,
                sums=_sums(update.sums),
                seconds=update.seconds or 0.0,
            )
            for update in updates
        ),
        survivors=tuple(survivor.node for survivor in survivors) or None,
        incarnation=row["incarnation"],
        frozen=row["frozen"] or b"",
    )
