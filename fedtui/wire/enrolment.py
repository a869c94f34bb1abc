"""The enrolment certificate: the coordinator vouches, with its Ed25519 key, for one node.

It states (federation, node id, both public keys, role, not before which incarnation). The node
keeps it; nodes that meet others in a roster check it for each. The signature covers the purpose
label and the coordinator's id, so it fits no other coordinator and no other purpose.
"""

from dataclasses import dataclass

import msgspec

from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.wire.messages import Enrolled, Role

PURPOSE = "fedtui1-enrolment"
_encoder = msgspec.msgpack.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is vouched for. `federation_id` is 32 bytes; `not_before` is an incarnation."""

    federation_id: bytes
    node: PublicIdentity
    role: Role
    not_before: int

    def statement(self) -> bytes:
        """The bytes that are signed; equal exactly when every field is."""
        return _encoder.encode(
            (
                1,
                self.federation_id,
                self.node.id,
                self.node.x25519_public,
                self.node.ed25519_public,
                self.role,
                self.not_before,
            )
        )


def enrol(coordinator: Identity, certificate: Certificate) -> Enrolled:
    """Sign: the message that tells the node it is in."""
    return Enrolled(
        role=certificate.role,
        not_before=certificate.not_before,
        signature=coordinator.sign(PURPOSE, certificate.statement()),
    )


def verify(coordinator: PublicIdentity, certificate: Certificate, signature: bytes) -> bool:
    """Whether this coordinator vouched for exactly this node in exactly this role."""
    return coordinator.verify(PURPOSE, certificate.statement(), signature)
