"""Who is in a masked sum, step by step, as a node's own machine went along with it."""

import msgspec
from masked_worlds import at, finish, masked_plan

from fedtui.crypto.keys import fingerprint
from fedtui.rounds import machine
from fedtui.simulation.world import World
from fedtui.telling import privacy
from fedtui.telling.cohort_here import CohortHere
from fedtui.wire.masked_messages import Mailbox, Roster, Survivors
from fedtui.wire.messages import Offer


class Ear:
    """Stands where an onlooker would: shows a CohortHere what the machine heard."""

    def __init__(self, world: World, text: str, role: str = "participant") -> None:
        self.node = world.nodes[World.name(text)]
        self.here = CohortHere(plan=world.plan, role=role, me=self.node.name)
        self.heard: list[object] = []
        self.node.onlooker = self

    def saw(self, event, effects) -> None:
        if isinstance(event, machine.Heard):
            found = self.here.heard(event.message, self.node.machine)
            self.heard.append(event.message if found is None else type(found))

    def vanished(self) -> None:
        self.here.leave()


def a_world(num: int = 5) -> World:
    return World(seed=1, num_nodes=num, plan=masked_plan(maximum=1, start_with=num))


def test_a_cohort_is_known_from_the_offer_on_and_fixed_by_the_roster() -> None:
    world = a_world()
    ear = Ear(world, "n1")
    assert not ear.here.is_known
    assert ear.here.privacy() == privacy.seen(world.plan, "participant")
    while not any(isinstance(one, Offer) for one in ear.heard):
        world.clock.step()
    assert ear.here.is_known
    assert ear.here.roster_hash == ""
    assert ear.here.privacy().cohort == 5
    while Roster not in ear.heard:
        world.clock.step()
    assert len(ear.here.roster_hash) == 64
    assert {peer.fingerprint for peer in ear.here.roster()} == {
        fingerprint(name) for name in world.nodes
    }
    numbers = ear.here.numbers(ear.node.machine)
    assert numbers is not None
    assert numbers.need == ear.here.least > 0
    ear.here.leave()
    assert not ear.here.is_known
    assert len(ear.here.roster()) == 5


def test_who_is_lost_is_marked() -> None:
    world = a_world(6)
    ear = Ear(world, "n1")
    at(world, "MASKING")
    world.crash_node("n4")
    while Survivors not in ear.heard:
        world.clock.step()
    assert Mailbox in ear.heard
    assert ear.here.num_lost == 1
    (lost,) = [peer for peer in ear.here.roster() if peer.lost]
    assert lost.fingerprint == fingerprint(World.name("n4"))


def test_visible_plans_and_bystanders_have_no_cohort() -> None:
    world = a_world()
    ear = Ear(world, "n1", role="observer")
    finish(world)
    assert not ear.here.is_known
    assert ear.here.ids == ()
    plan = msgspec.structs.replace(
        world.plan, privacy=msgspec.structs.replace(world.plan.privacy, updates="visible")
    )
    ear.here = CohortHere(plan=plan, role="participant", me=ear.node.name)
    offer = next(one for one in ear.heard if isinstance(one, Offer))
    assert ear.here.heard(offer, ear.node.machine) is None
    assert not ear.here.is_known
