from pathlib import Path

import pytest
from a_coordinator import make, serving
from msgspec.structs import replace

from coordinator import invites as invites_module
from coordinator.asks import AskInvite
from coordinator.config import CoordinatorConfig, InvitesSection, ServerSection
from coordinator.invites import InviteMaker, own_addresses
from coordinator.refusals import BadRequestError
from fedtui.wire.invite import Invite, secret_hash

ANY = "0.0.0.0"  # noqa: S104  asked about, not bound to


async def test_what_is_kept_is_a_hash_and_what_is_printed_is_the_invite(tmp_path: Path) -> None:
    async with serving(make(tmp_path / "f")) as service:
        ask = AskInvite(role="evaluator", label="\x1b[31mlab", hours=1.0, uses=3)
        made = await service.invite_maker().make(ask)
        invite = Invite.parse(made.invite)
        assert invite.coordinator_id == service._identity.id
        assert invite.addresses == (f"127.0.0.1:{service.ports.nodes}",) == made.addresses
        (kept,) = await service.store.invites()
        assert kept.secret_hash == secret_hash(invite.secret)
        assert (kept.scope.role, kept.scope.label, kept.uses_left) == ("evaluator", "[31mlab", 3)
        assert kept.expires_at == float(invite.expires) == made.expires
        text = (tmp_path / "f/state/coordinator.db").read_bytes()
        text += (tmp_path / "f/state/coordinator.db-wal").read_bytes()
        assert invite.secret not in text
        assert invite.secret.hex().encode() not in text


def maker(host: str, *addresses: str) -> InviteMaker:
    settings = replace(
        CoordinatorConfig(),
        server=ServerSection(host=host),
        invites=InvitesSection(addresses=addresses),
    )
    return InviteMaker(None, None, settings, 9000)  # type: ignore[arg-type]  # only asks for addresses


@pytest.mark.parametrize(
    ("host", "configured", "expected"),
    [
        (
            ANY,
            ("lab", "lab:1", "[fd00::1]", "[fd00::1]:2"),
            ("lab:9000", "lab:1", "[fd00::1]:9000", "[fd00::1]:2"),
        ),
        ("127.0.0.1", (), ("127.0.0.1:9000",)),
        ("::1", (), ("[::1]:9000",)),
        (ANY, (), ("192.168.1.7:9000",)),
        ("::", (), ("192.168.1.7:9000", "[fd00::7]:9000")),
    ],
)
def test_addresses(
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    configured: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    monkeypatch.setattr(invites_module, "own_addresses", lambda: ["192.168.1.7", "fd00::7"])
    assert maker(host, *configured).addresses() == expected


def test_an_unknown_address_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invites_module, "own_addresses", lambda: ["fd00::7"])
    with pytest.raises(BadRequestError, match=r"\[invites\] addresses"):
        maker(ANY).addresses()


def test_own_addresses_are_never_empty() -> None:
    assert own_addresses()
