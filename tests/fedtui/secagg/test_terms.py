"""Which numbers of a roster a node goes along with, where there are groups."""

import pytest
from test_groups import body

from fedtui.secagg.terms import Terms

TERMS = Terms(colluders=1, minimum=3, largest=12, group=3)


def test_a_roster_of_the_agreed_groups_is_fine():
    for num in range(3, 13):
        assert TERMS.refuse(body(num, 3)) is None


@pytest.mark.parametrize(
    ("roster", "why"),
    [
        (body(9, 0, degree=8), "groups of 0 nodes; agreed were groups of 3"),
        (body(9, 4), "groups of 4 nodes; agreed were groups of 3"),
        (body(9, 2), "groups of 2 nodes; agreed were groups of 3"),
        (body(2, 3), "the roster has 2 nodes; this node takes part with 3 to 12"),
        (body(13, 3), "the roster has 13 nodes; this node takes part with 3 to 12"),
        (body(9, 3, colluders=2), "counts on 2 colluders and sums of 3 nodes"),
        (body(9, 3, minimum=2), "counts on 1 colluders and sums of 2 nodes"),
        (body(9, 3, degree=2), "names neighbours"),
    ],
)
def test_any_other_is_refused(roster, why):
    assert why in (TERMS.refuse(roster) or "")


def test_groups_that_leave_nobody_safe_are_refused_although_they_were_agreed():
    terms = Terms(colluders=2, minimum=4, largest=12, group=3)
    said = terms.refuse(body(9, 3, colluders=2, minimum=4))
    assert said == "groups of 3 nodes have no sum that 2 colluders leave safe: it needs 4"


def test_a_roster_without_groups_needs_a_degree_that_keeps_it_safe():
    terms = Terms(colluders=1, minimum=3, largest=12)
    assert terms.refuse(body(9, 0, degree=8)) is None
    assert "8 neighbours" not in (terms.refuse(body(9, 0, degree=8)) or "")
    assert "4 neighbours a node are none that keep 9" in (terms.refuse(body(9, 0, degree=4)) or "")
