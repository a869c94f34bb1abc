"""The wizard's machine: where it leads, where it never leads, and where it begins again."""

import a_status
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fedtui.status import (
    CheckReport,
    Coordinator,
    FoundCoordinator,
    InviteSeen,
    Limits,
    NodeStatus,
    ProbedCoordinator,
    Setup,
)
from fedtui.status.wordcheck import WordCheck
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.machine import Moved, Step, Wizard, advance, begin

WORDS = ("amber", "fjord", "kettle", "maple", "onyx", "quill")
WHO = ProbedCoordinator(
    coordinator_id="ef" * 32,
    address="192.168.1.20:8443",
    label="clinics",
    fingerprint="BK6L-UZEO",
    words=WORDS,
)
SEEN = InviteSeen(
    coordinator_id="ef" * 32, fingerprint="BK6L-UZEO", addresses=("192.168.1.20:8443",)
)
FOUND = FoundCoordinator(name="clinics", address="192.168.1.20:8443", federation="f")
ASKING = replace(a_status.normal(), state="asking", consented=False, seq=500)
OTHER = replace(ASKING, plan=replace(a_status.PLAN, plan_hash="77" * 32, differs=("the model",)))
GOOD, BAD = CheckReport(facts=("fine",)), CheckReport(problems=("no such file",))


def check() -> WordCheck:
    return WordCheck.draw(WORDS, WHO.fingerprint, lambda n: 1)  # words 2 and 3


def after(first: Wizard, *events: ev.Event) -> Moved:
    moved: Moved = (first, ())
    for event in events:
        moved = advance(moved[0], event)
    return moved


def fresh() -> Wizard:
    return begin(a_status.empty())[0]


TO_VERIFY = (ev.Looked((FOUND,), 1.0), ev.Address(FOUND.address, FOUND))
TO_DATA = (*TO_VERIFY, ev.Probed(WHO, check()), ev.Typed(("fjord", "kettle")), ev.Go())
TO_LIMITS = (*TO_DATA, ev.Data(Setup(data="/d")), ev.Arrived(ASKING), ev.Checked(GOOD), ev.Go())
TO_CONSENT = (*TO_LIMITS, ev.Limited(Limits()), ev.LimitsKept())
HASH = a_status.PLAN.plan_hash
TO_WAIT = (*TO_CONSENT, ev.Said("share", HASH), ev.Agreed(replace(a_status.normal(), seq=600)))


@pytest.mark.parametrize(
    ("events", "step", "effect"),
    [
        ((), Step.FIND, None),
        (TO_VERIFY, Step.FIND, ev.Probe("192.168.1.20:8443")),
        (TO_DATA[:3], Step.VERIFY, None),
        (TO_DATA, Step.DATA, None),
        (
            TO_LIMITS[:6],
            Step.DATA,
            ev.Enter(Setup(data="/d"), address=WHO.address, coordinator_id=WHO.coordinator_id),
        ),
        (TO_LIMITS[:7], Step.DATA, ev.DryRun()),
        (TO_LIMITS, Step.LIMITS, None),
        (TO_CONSENT[:-1], Step.LIMITS, ev.SetLimits(Limits())),
        (TO_CONSENT, Step.CONSENT, None),
        (TO_WAIT[:-1], Step.CONSENT, ev.Agree(HASH)),
        (TO_WAIT, Step.WAIT, None),
        ((*TO_WAIT, ev.Go()), Step.WAIT, ev.Close()),
    ],
    ids=str,
)
def test_each_step_leads_to_the_next(
    events: tuple[ev.Event, ...], step: Step, effect: ev.Effect | None
) -> None:
    wizard, effects = after(fresh(), *events)
    assert wizard.step is step
    assert effects == ((effect,) if effect is not None else ())
    assert not wizard.trouble


def test_wrong_words_are_told_three_times_and_lead_nowhere() -> None:
    wizard = after(fresh(), *TO_VERIFY, ev.Probed(WHO, check()))[0]
    for left in ("2 times", "once more"):
        wizard = after(wizard, ev.Typed(("fjord", "quill")))[0]
        assert left in wizard.remedy
    wizard = after(wizard, ev.Typed(("kettle", "fjord")))[0]
    assert "too often wrong" in wizard.trouble
    wizard = after(wizard, ev.Typed(("fjord", "kettle")), ev.Go())[0]
    assert wizard.step is Step.VERIFY
    assert not wizard.verified


def test_the_whole_fingerprint_will_do_instead_of_words() -> None:
    first = after(fresh(), *TO_VERIFY, ev.Probed(WHO, check()))[0]
    assert after(first, ev.Typed(("bk6l uzeo",)))[0].verified
    assert not after(first, ev.Typed(("bk6l",)))[0].verified


def test_an_invite_carries_the_key_and_is_used_once() -> None:
    wizard, effects = after(fresh(), ev.Invite("fedtui1:\n se cret"))
    assert effects == (ev.ReadInvite("fedtui1:secret"),)
    assert "secret" not in repr(wizard) + repr(effects)
    wizard = after(wizard, ev.InviteRead(SEEN), ev.Go())[0]
    assert wizard.step is Step.DATA
    wizard, effects = after(wizard, ev.Data(Setup()))
    assert effects == (ev.Enter(Setup(), invite="fedtui1:secret"),)
    wizard = after(wizard, ev.Arrived(ASKING), ev.Checked(BAD))[0]
    assert after(wizard, ev.Data(Setup(data="/e")))[1] == (ev.Enter(Setup(data="/e")),)


def test_an_invite_for_another_key_than_the_one_that_answered_is_not_taken() -> None:
    wizard = after(
        fresh(),
        *TO_VERIFY,
        ev.Probed(WHO, check()),
        ev.Invite("fedtui1:x"),
        ev.InviteRead(replace(SEEN, coordinator_id="00" * 32)),
        ev.Go(),
    )[0]
    assert "ANOTHER key" in wizard.trouble
    assert (wizard.step, wizard.verified, wizard.invite) == (Step.VERIFY, False, "")


def test_a_coordinator_of_another_version_leads_nowhere_and_says_what_to_do() -> None:
    who = replace(WHO, remedy="pip install -U fedtui")
    wizard = after(fresh(), *TO_VERIFY, ev.Probed(who, check()))[0]
    assert wizard.remedy == "pip install -U fedtui"
    assert not after(wizard, ev.Typed(("fjord", "kettle")), ev.Go())[0].verified


@pytest.mark.parametrize("text", ["", "host", ":1", "host:", "host:0", "host:99999", "a b:80"])
def test_what_is_no_address_is_not_probed(text: str) -> None:
    wizard, effects = after(fresh(), ev.Address(text))
    assert effects == ()
    assert "no address" in wizard.trouble


def test_problems_of_the_dry_run_stop_and_another_path_is_tried() -> None:
    wizard, _ = after(fresh(), *TO_LIMITS[:7], ev.Checked(BAD), ev.Go())
    assert wizard.step is Step.DATA
    assert after(wizard, ev.Data(Setup(data="/e")))[1] == (ev.Enter(Setup(data="/e")),)


def test_only_the_word_itself_agrees_and_only_to_the_plan_that_was_read() -> None:
    wizard = after(fresh(), *TO_CONSENT)[0]
    assert after(wizard, ev.Said("yes", HASH))[1] == ()
    assert "read the form again" in after(wizard, ev.Said("share", "00" * 32))[0].remedy
    assert after(wizard, ev.Said(" Share ", HASH))[1] == (ev.Agree(HASH),)


def test_a_changed_plan_is_tried_and_read_anew() -> None:
    wizard, effects = after(fresh(), *TO_CONSENT, ev.Seen(OTHER))
    assert (wizard.step, effects) == (Step.CONSENT, (ev.DryRun(),))
    assert after(wizard, ev.Said("share", OTHER.plan.plan_hash))[1] == ()  # not tried yet
    wizard = after(wizard, ev.Checked(BAD))[0]
    assert after(wizard, ev.Said("share", OTHER.plan.plan_hash))[1] == ()
    again, effects = after(fresh(), *TO_WAIT, ev.Seen(replace(OTHER, seq=700)))
    assert (again.step, effects) == (Step.CONSENT, (ev.DryRun(),))


def test_a_status_from_before_the_consent_does_not_ask_again() -> None:
    wizard, effects = after(fresh(), *TO_WAIT, ev.Seen(ASKING))
    assert (wizard.step, effects) == (Step.WAIT, ())


def test_what_another_screen_did_is_taken_over() -> None:
    wizard = after(fresh(), *TO_CONSENT)[0]
    agreed = replace(a_status.normal(), state="waiting", seq=501)
    assert after(wizard, ev.Seen(agreed))[0].step is Step.WAIT
    left = replace(a_status.empty(), seq=501)
    gone = after(wizard, ev.Seen(left))[0]
    assert (gone.step, gone.verified) == (Step.FIND, False)
    assert "no federation any more" in gone.trouble


PENDING = replace(a_status.normal(), state="pending")
BEFORE = Coordinator(label="c", address="h:1", fingerprint="F")


@pytest.mark.parametrize(
    ("status", "step", "effects"),
    [
        (a_status.empty(), Step.FIND, (ev.Discover(),)),
        (replace(a_status.empty(), coordinator=BEFORE), Step.FIND, (ev.Discover(),)),
        (replace(a_status.empty(), coordinator=BEFORE, state="connecting"), Step.DATA, ()),
        (ASKING, Step.DATA, (ev.DryRun(),)),
        (OTHER, Step.CONSENT, (ev.DryRun(),)),
        (PENDING, Step.WAIT, ()),
        (a_status.normal(), Step.WAIT, ()),
    ],
    ids=lambda one: getattr(one, "state", None),
)
def test_it_begins_where_the_node_is(
    status: NodeStatus, step: Step, effects: tuple[ev.Effect, ...]
) -> None:
    wizard, wanted = begin(status)
    assert (wizard.step, wanted) == (step, effects)


@pytest.mark.parametrize(
    ("events", "step", "closes"),
    [
        (TO_VERIFY[:1], Step.FIND, True),
        (TO_VERIFY, Step.FIND, False),
        (TO_DATA[:3], Step.FIND, False),
        (TO_DATA, Step.VERIFY, False),
        (TO_LIMITS[:7], Step.DATA, True),
        (TO_LIMITS, Step.DATA, False),
        (TO_CONSENT, Step.LIMITS, False),
        (TO_WAIT, Step.WAIT, True),
    ],
    ids=str,
)
def test_escape_goes_one_step_back(events: tuple[ev.Event, ...], step: Step, closes: bool) -> None:
    wizard, effects = after(fresh(), *events, ev.Back())
    assert wizard.step is step
    assert (ev.Close() in effects) is closes


ANY = st.sampled_from(
    [
        *TO_WAIT,
        ev.Look(),
        ev.Go(),
        ev.Back(),
        ev.Failed("no", "try"),
        ev.Invite("fedtui1:x"),
        ev.InviteRead(SEEN),
        ev.InviteRead(replace(SEEN, coordinator_id="00" * 32)),
        ev.Typed(("a", "b")),
        ev.Typed(("fjord", "kettle")),
        ev.Checked(BAD),
        ev.Checked(GOOD),
        ev.Said("share", OTHER.plan.plan_hash),
        ev.Seen(ASKING),
        ev.Seen(OTHER),
        ev.Seen(a_status.empty()),
        ev.Seen(a_status.normal()),
    ]
)


@given(st.lists(ANY, max_size=40), st.sampled_from([a_status.empty(), ASKING, OTHER, PENDING]))
def test_whatever_happens_nobody_enters_unverified_or_agrees_unread(
    events: list[ev.Event], status: NodeStatus
) -> None:
    wizard = begin(status)[0]
    for event in events:
        before = wizard
        wizard, effects = advance(wizard, event)
        for effect in effects:
            if isinstance(effect, ev.Enter):
                assert before.verified
                assert not effect.invite or before.seen is not None
            if isinstance(effect, ev.Agree):
                assert before.plan is not None
                assert effect.plan_hash == before.plan.plan_hash
                assert before.report is not None
                assert not before.report.problems
                assert isinstance(event, ev.Said)
        if wizard.step >= Step.LIMITS:
            assert wizard.plan is not None
        if wizard.step is Step.DATA:
            assert wizard.verified
