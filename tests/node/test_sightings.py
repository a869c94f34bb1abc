"""The table of announced coordinators: bounded whatever is announced, and honest about each."""

from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto.keys import Identity
from fedtui.wire.announcement import SERVICE, Announcement, hint_of, instance
from fedtui.wire.labels import safe_label
from node.pins import Pin
from node.sightings import MAX_AGE_S, MAX_PER_HOST, MAX_SIGHTINGS, Sighting, Sightings

LAB = Identity.from_seed(b"l" * 32)
CLINIC = Identity.from_seed(b"c" * 32)
OTHER = Identity.from_seed(b"o" * 32)
PIN = Pin(LAB.id, "cifar-lab", 1_700_000_000.0, ("192.168.1.77:8443",))


def sighting(
    who: Identity, federation: str, address: str = "192.168.1.20:8443", *, name: str = ""
) -> Sighting:
    said = Announcement(hint_of(who.id), federation)
    return Sighting(name or instance(who.id, federation), (address,), said)


def standings(table: Sightings, now: float = 0.0) -> dict[str, str]:
    return {one.address: one.standing for one in table.found(now)}


def test_a_new_one_says_what_it_claims_and_where_it_is() -> None:
    table = Sightings([PIN])
    assert table.saw(sighting(CLINIC, "mnist-clinics"), 10.0)
    (one,) = table.found(12.5)
    assert (one.name, one.federation) == ("mnist-clinics", "mnist-clinics")
    assert (one.address, one.id_hint) == ("192.168.1.20:8443", hint_of(CLINIC.id))
    assert (one.standing, one.known_since, one.seen_s_ago) == ("new", 0.0, 2.5)


def test_one_that_claims_a_pinned_id_is_known_since_it_was_pinned() -> None:
    table = Sightings([PIN])
    table.saw(sighting(CLINIC, "mnist-clinics", "192.168.1.20:1"), 0.0)
    table.saw(sighting(LAB, "cifar-lab", "192.168.1.99:8443"), 0.0)
    first, second = table.found(0.0)
    assert (first.standing, first.known_since) == ("known", PIN.since_s), "known ones come first"
    assert (second.standing, second.known_since) == ("new", 0.0)


def test_D2_a_pinned_name_with_another_id_is_told() -> None:
    table = Sightings([PIN])
    table.saw(sighting(OTHER, "Cifar-LAB ", "192.168.1.93:8443"), 0.0)
    assert standings(table) == {"192.168.1.93:8443": "same name, other key"}


def test_D2_two_of_one_name_are_both_told_when_none_is_pinned() -> None:
    table = Sightings()
    table.saw(sighting(CLINIC, "mnist", "192.168.1.20:8443"), 0.0)
    assert standings(table) == {"192.168.1.20:8443": "new"}
    table.saw(sighting(OTHER, "mnist", "192.168.1.93:8443"), 0.0)
    assert set(standings(table).values()) == {"same name, other key"}
    table.gone(instance(OTHER.id, "mnist"))
    assert standings(table) == {"192.168.1.20:8443": "new"}


def test_D2_of_two_that_claim_a_pinned_id_only_the_one_at_its_address_is_known() -> None:
    table = Sightings([PIN])
    table.saw(sighting(LAB, "cifar-lab", "192.168.1.93:8443", name=f"clone.{SERVICE}"), 0.0)
    assert standings(table) == {"192.168.1.93:8443": "known"}, "it may have moved"
    table.saw(sighting(LAB, "cifar-lab", "192.168.1.77:8443"), 0.0)
    assert standings(table) == {
        "192.168.1.77:8443": "known",
        "192.168.1.93:8443": "same name, other key",
    }


def test_without_a_name_or_an_id_it_is_just_new() -> None:
    table = Sightings([Pin(LAB.id, "", 0.0)])
    for number in range(2):
        table.saw(
            Sighting(f".{number}{SERVICE}", (f"10.0.0.{number}:1",), Announcement("", "")), 0
        )
    assert set(standings(table).values()) == {"new"}


def test_what_is_not_seen_again_goes_away() -> None:
    table = Sightings()
    table.saw(sighting(CLINIC, "a", "10.0.0.1:1"), 0.0)
    table.saw(sighting(OTHER, "b", "10.0.0.2:1"), 0.0)
    table.saw(sighting(OTHER, "b", "10.0.0.2:1"), 30.0)
    assert len(table.found(MAX_AGE_S)) == 2
    assert [one.federation for one in table.found(MAX_AGE_S + 0.1)] == ["b"]
    table.gone("nobody")
    table.gone(instance(OTHER.id, "b"))
    assert table.found(MAX_AGE_S) == ()


def test_D2_a_full_table_takes_in_only_who_claims_a_pinned_id() -> None:
    table = Sightings([PIN])
    for number in range(2 * MAX_SIGHTINGS):
        table.saw(sighting(OTHER, "x", f"10.0.{number}.1:1", name=f"{number}.{SERVICE}"), 0.0)
    assert (len(table), table.num_left_out) == (MAX_SIGHTINGS, MAX_SIGHTINGS)
    assert table.saw(sighting(LAB, "cifar-lab"), 0.0)
    assert len(table) == MAX_SIGHTINGS
    assert table.found(0.0)[0].standing == "known"


def test_D2_one_host_cannot_fill_the_table() -> None:
    table = Sightings()
    taken = [
        table.saw(sighting(OTHER, "x", f"10.0.0.1:{number}", name=f"{number}.{SERVICE}"), 0.0)
        for number in range(1, 100)
    ]
    assert taken.count(True) == len(table) == MAX_PER_HOST


hints = st.sampled_from([hint_of(LAB.id), hint_of(CLINIC.id), ""])
rows = st.builds(
    Sighting,
    st.integers(0, 300).map(lambda n: f"{n}.{SERVICE}"),
    st.lists(st.integers(0, 200).map(lambda n: f"10.0.0.{n}:8443"), min_size=1, max_size=3).map(
        tuple
    ),
    st.builds(Announcement, hints, st.text(max_size=60).map(safe_label)),
)
steps = st.lists(st.tuples(rows | st.integers(0, 300), st.floats(0, 20)), max_size=200)


@given(steps)
def test_D2_whatever_is_announced_the_list_is_short_fresh_and_safe(
    done: list[tuple[Sighting | int, float]],
) -> None:
    table, now = Sightings([PIN]), 0.0
    for step, waited in done:
        now += waited
        if isinstance(step, Sighting):
            table.saw(step, now)
        else:
            table.gone(f"{step}.{SERVICE}")
        found = table.found(now)
        assert len(found) <= MAX_SIGHTINGS
        for one in found:
            assert one.seen_s_ago <= MAX_AGE_S
            assert one.federation == safe_label(one.federation)
            assert (one.standing == "known") <= (one.id_hint == hint_of(LAB.id))
            assert (one.known_since > 0) == (one.standing == "known")
