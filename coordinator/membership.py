"""Who belongs: invites, enrolment, approval, revocation and key rotation, in the database.

Each function is one step of a write transaction. An invite is burnt in the transaction that adds
the node, so of fifty nodes racing for its last use exactly one gets in. A refusal says the same
for an unknown, expired, used or wrong invite; the reason goes to the audit chain only. A revoked
id stays for ever: the machine behind it may come back, but only with new keys and a new invite.
"""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Literal

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from coordinator import schema
from coordinator.files import StoreConflict
from coordinator.recording import Transaction
from coordinator.roster import Member, State
from coordinator.schema import microseconds, seconds
from fedtui.crypto.keys import PublicIdentity, short_id
from fedtui.wire.messages import Role

MAX_PENDING = 1000  # nodes waiting for approval: strangers must not fill the disk


class InviteScope(msgspec.Struct, frozen=True, kw_only=True):
    """What an invite is good for; its role wins over the one the node asks for."""

    role: Role = "participant"
    label: str = ""
    auto_approve: bool = False
    revoked: bool = False


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """An invite as stored: BLAKE2b of the secret, never the secret. Times in UTC seconds."""

    invite_id: bytes
    secret_hash: bytes
    scope: InviteScope
    expires_at: float
    uses_left: int
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Who asks to be let in, its keys proven by the handshake. `address` is for people only."""

    identity: PublicIdentity
    label: str
    role: Role
    address: str
    invite_id: bytes | None = None
    secret_hash: bytes | None = None


class EnrolResult(msgspec.Struct, frozen=True, kw_only=True):
    """Where the node stands now. `refused` never says why."""

    state: Literal["enrolled", "pending", "expelled", "refused"]
    role: Role


def add_invite(tx: Transaction, invite: Invite) -> None:
    row = {
        "id": invite.invite_id,
        "secret_hash": invite.secret_hash,
        "scope": msgspec.msgpack.encode(invite.scope),
        "expires": microseconds(invite.expires_at),
        "uses_left": invite.uses_left,
        "created_by": invite.created_by,
        "created": tx.now,
    }
    tx.connection.execute(insert(schema.invites), row)
    detail = f"{invite.scope.role}, {invite.uses_left} uses"
    tx.note("invite made", f"invite {invite.invite_id.hex()}", detail, actor=invite.created_by)


def invites(connection: Connection) -> tuple[Invite, ...]:
    """Every invite, newest last, spent and expired ones too."""
    rows = connection.execute(select(schema.invites).order_by(schema.invites.c.created))
    return tuple(_invite(row) for row in rows)


def revoke_invite(tx: Transaction, invite_id: bytes, by: str) -> Invite:
    """Take an invite back; no change if it was taken back already."""
    c = schema.invites.c
    row = tx.connection.execute(select(schema.invites).where(c.id == invite_id)).first()
    if row is None:
        raise StoreConflict(
            f"there is no invite {invite_id.hex()}; see 'fedtui-coordinator invites'"
        )
    invite = _invite(row)
    if invite.scope.revoked:
        return invite
    scope = msgspec.structs.replace(invite.scope, revoked=True)
    values = {"scope": msgspec.msgpack.encode(scope), "uses_left": 0}
    tx.connection.execute(update(schema.invites).where(c.id == invite_id).values(values))
    tx.note("invite revoked", f"invite {invite_id.hex()}", actor=by)
    return msgspec.structs.replace(invite, scope=scope, uses_left=0)


def _invite(row: Row[tuple[object, ...]]) -> Invite:
    return Invite(
        invite_id=row.id,
        secret_hash=row.secret_hash,
        scope=msgspec.msgpack.decode(row.scope, type=InviteScope),
        expires_at=seconds(row.expires),
        uses_left=row.uses_left,
        created_by=row.created_by,
    )


def enrol(tx: Transaction, who: Enrolment, now: float) -> EnrolResult:
    """Let a node in, keep it waiting, or refuse it. A known id keeps its state and role."""
    known = node(tx.connection, who.identity.id)
    if known is not None and known.state != "pending":
        return _standing(known)
    invite = _usable(tx, who, now) if who.invite_id is not None else None
    approved_by = _approval(tx.connection, who, invite)
    if known is None:
        return _newcomer(tx, who, invite, approved_by)
    if approved_by is None:
        return _standing(known)
    if invite is not None:
        _burn(tx, invite, who)
    return _standing(_admit(tx, known, approved_by))


def _newcomer(
    tx: Transaction, who: Enrolment, invite: Invite | None, approved_by: str | None
) -> EnrolResult:
    refused = EnrolResult(state="refused", role=who.role)
    if who.invite_id is not None and invite is None:
        return refused
    invited = invite is not None
    if approved_by is None and _num_pending(tx.connection, invited=invited) >= MAX_PENDING:
        tx.note("enrolment refused", _label(who.identity.id), "too many nodes wait for approval")
        return refused
    if invite is not None:
        _burn(tx, invite, who)
    return _standing(_add(tx, who, invite, approved_by))


def _approval(connection: Connection, who: Enrolment, invite: Invite | None) -> str | None:
    """Who approves this node without being asked, if anybody does."""
    if _on_allowlist(connection, who.identity.id):
        return "allowlist"
    if invite is not None and invite.scope.auto_approve:
        return f"invite {invite.invite_id.hex()}"
    return None


def _standing(member: Member) -> EnrolResult:
    if member.state in {"enrolled", "pending", "expelled"}:
        return EnrolResult(state=member.state, role=member.role)
    return EnrolResult(state="expelled", role=member.role)


def _usable(tx: Transaction, who: Enrolment, now: float) -> Invite | None:
    """The invite, if it admits this node; otherwise the reason goes to the audit chain."""
    row = tx.connection.execute(
        select(schema.invites).where(schema.invites.c.id == who.invite_id)
    ).first()
    invite = _invite(row) if row is not None else None
    # The secret is compared even if there is no such invite: the answer takes the same path.
    right = compare_digest(
        invite.secret_hash if invite is not None else bytes(32), who.secret_hash or b""
    )
    if invite is None:
        reason = "unknown invite"
    elif not right:
        reason = "wrong secret"
    elif microseconds(now) >= microseconds(invite.expires_at):
        reason = "expired invite"
    elif invite.uses_left < 1:
        reason = "revoked invite" if invite.scope.revoked else "used invite"
    else:
        return invite
    tx.note("invite refused", _label(who.identity.id), reason)
    return None


def _burn(tx: Transaction, invite: Invite, who: Enrolment) -> None:
    c = schema.invites.c
    spent = update(schema.invites).where(c.id == invite.invite_id, c.uses_left >= 1)
    if tx.connection.execute(spent.values(uses_left=c.uses_left - 1)).rowcount != 1:
        raise StoreConflict("the invite is used up")
    tx.note("invite spent", f"invite {invite.invite_id.hex()}", _label(who.identity.id))


def _add(
    tx: Transaction, who: Enrolment, invite: Invite | None, approved_by: str | None
) -> Member:
    row = {
        "id": who.identity.id,
        "x_pk": who.identity.x25519_public,
        "ed_pk": who.identity.ed25519_public,
        "label": who.label or (invite.scope.label if invite is not None else ""),
        "role": invite.scope.role if invite is not None else who.role,
        "state": "enrolled" if approved_by else "pending",
        "address": who.address,
        "invite": invite.invite_id if invite is not None else None,
        "created": tx.now,
        "approved_by": approved_by,
        "last_seen": tx.now,
    }
    tx.connection.execute(insert(schema.nodes), row)
    if approved_by:
        tx.note("node approved", _label(who.identity.id), str(row["role"]), actor=approved_by)
    else:
        how = "" if invite is not None else ", without an invite"
        tx.note("node asks to join", _label(who.identity.id), str(row["role"]) + how)
    return _changed(tx, who.identity.id)


def _admit(tx: Transaction, member: Member, by: str) -> Member:
    c = schema.nodes.c
    change = update(schema.nodes).where(c.id == member.node_id)
    tx.connection.execute(change.values(state="enrolled", approved_by=by))
    tx.note("node approved", _label(member.node_id), member.role, actor=by)
    return _changed(tx, member.node_id)


def _on_allowlist(connection: Connection, node_id: bytes) -> bool:
    c = schema.allowlist.c
    return connection.execute(select(c.id).where(c.id == node_id)).first() is not None


def _num_pending(connection: Connection, *, invited: bool) -> int:
    """Of those with an invite, or without: the ones are not kept out by the others."""
    c = schema.nodes.c
    came = c.invite.is_not(None) if invited else c.invite.is_(None)
    pending = select(func.count()).where(c.state == "pending", came)
    return connection.execute(pending).scalar_one()


def allow(tx: Transaction, node_ids: tuple[bytes, ...], by: str) -> None:
    """Approve these ids before, or after, they ask; a revoked one stays revoked."""
    for node_id in node_ids:
        if _on_allowlist(tx.connection, node_id):
            continue
        row = {"id": node_id, "added_by": by, "added": tx.now}
        tx.connection.execute(insert(schema.allowlist), row)
        tx.note("id allowed", _label(node_id), actor=by)
        known = node(tx.connection, node_id)
        if known is not None and known.state == "pending":
            _admit(tx, known, by)


def approve(tx: Transaction, node_id: bytes, by: str) -> Member:
    """Enrol a pending node; no change if it is enrolled already."""
    member = _known(tx, node_id)
    if member.state == "enrolled":
        return member
    if member.state != "pending":
        raise StoreConflict(
            f"node {short_id(node_id)} is {member.state} and cannot return under this id; "
            "invite it again, it needs a new identity"
        )
    return _admit(tx, member, by)


def reject(tx: Transaction, node_id: bytes, by: str) -> Member:
    """Turn away a node that waits for approval; no change if that was done already."""
    member = _known(tx, node_id)
    if member.state not in {"pending", "expelled"}:
        raise StoreConflict(
            f"node {short_id(node_id)} is {member.state}: only a node that waits can be rejected; "
            "'nodes revoke' puts this one out"
        )
    return _end(tx, node_id, "expelled", by)


def revoke(tx: Transaction, node_id: bytes, by: str) -> Member:
    """Expel a node, pending or enrolled; no change if it is expelled already."""
    return _end(tx, node_id, "expelled", by)


def leave(tx: Transaction, node_id: bytes) -> Member:
    """The node ends its own enrolment; its id cannot return either."""
    return _end(tx, node_id, "left", _label(node_id))


def _end(tx: Transaction, node_id: bytes, state: State, by: str) -> Member:
    member = _known(tx, node_id)
    if member.state in {"expelled", state}:
        return member
    change = update(schema.nodes).where(schema.nodes.c.id == node_id)
    tx.connection.execute(change.values(state=state, revoked_at=tx.now))
    tx.connection.execute(schema.allowlist.delete().where(schema.allowlist.c.id == node_id))
    tx.note("node revoked" if state == "expelled" else "node left", _label(node_id), actor=by)
    return _changed(tx, node_id)


def rotate(tx: Transaction, old: bytes, new: PublicIdentity, statement: bytes) -> Member:
    """Put new keys in the place of old ones. The signatures of `statement` were checked."""
    member = _known(tx, old)
    if member.state != "enrolled":
        raise StoreConflict(f"node {short_id(old)} is {member.state} and cannot rotate its key")
    if node(tx.connection, new.id) is not None:
        raise StoreConflict(f"node {short_id(new.id)} exists already; make a fresh identity")
    change = update(schema.nodes).where(schema.nodes.c.id == old)
    tx.connection.execute(change.values(state="rotated", revoked_at=tx.now))
    _changed(tx, old)
    successor = {
        "id": new.id,
        "x_pk": new.x25519_public,
        "ed_pk": new.ed25519_public,
        "label": member.label,
        "role": member.role,
        "state": "enrolled",
        "address": member.address,
        "invite": member.invite,
        "created": tx.now,
        "approved_by": member.approved_by,
        "last_seen": tx.now,
    }
    tx.connection.execute(insert(schema.nodes), successor)
    row = {"old": old, "new": new.id, "statement": statement, "at": tx.now}
    tx.connection.execute(insert(schema.rotations), row)
    tx.connection.execute(schema.allowlist.delete().where(schema.allowlist.c.id == old))
    tx.note("key rotated", _label(old), f"to {_label(new.id)}")
    return _changed(tx, new.id)


def rotation_to(connection: Connection, node_id: bytes) -> bytes | None:
    """The statement that led to this identity; None if it is a node's first."""
    c = schema.rotations.c
    row = connection.execute(select(c.statement).where(c.new == node_id)).first()
    return bytes(row.statement) if row is not None else None


def touch(tx: Transaction, node_id: bytes, now: float, address: str | None) -> None:
    """The node was here; an unknown one is no error."""
    values: dict[str, object] = {"last_seen": microseconds(now)}
    if address is not None:
        values["address"] = address
    change = update(schema.nodes).where(schema.nodes.c.id == node_id)
    if tx.connection.execute(change.values(values)).rowcount:
        _changed(tx, node_id)


def nodes(connection: Connection) -> tuple[Member, ...]:
    """Every node ever seen, oldest first."""
    order = (schema.nodes.c.created, schema.nodes.c.id)
    return tuple(_member(row) for row in connection.execute(select(schema.nodes).order_by(*order)))


def node(connection: Connection, node_id: bytes) -> Member | None:
    row = connection.execute(select(schema.nodes).where(schema.nodes.c.id == node_id)).first()
    return _member(row) if row is not None else None


def _member(row: Row[tuple[object, ...]]) -> Member:
    return Member(
        node_id=row.id,
        x25519=row.x_pk,
        ed25519=row.ed_pk,
        label=row.label,
        role=row.role,
        state=row.state,
        address=row.address,
        invite=row.invite,
        created=seconds(row.created),
        approved_by=row.approved_by,
        revoked_at=seconds(row.revoked_at) if row.revoked_at is not None else None,
        last_seen=seconds(row.last_seen) if row.last_seen is not None else None,
    )


def _known(tx: Transaction, node_id: bytes) -> Member:
    member = node(tx.connection, node_id)
    if member is None:
        raise StoreConflict(
            f"there is no node {short_id(node_id)}; see 'fedtui-coordinator nodes'"
        )
    return member


def _changed(tx: Transaction, node_id: bytes) -> Member:
    """Read the row back and keep it for the roster."""
    member = _known(tx, node_id)
    tx.members[node_id] = member
    return member


def _label(node_id: bytes) -> str:
    return f"node {short_id(node_id)}"
