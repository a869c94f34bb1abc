"""Makes a_cohort, a_liar and a_thief importable; a cohort of five, its roster and its node 0."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from a_cohort import Cohort
from a_liar import honest_roster


@pytest.fixture
def cohort():
    return Cohort(5)


@pytest.fixture
def roster(cohort):
    return honest_roster(cohort)


@pytest.fixture
def node(cohort):
    return cohort.participants[0]
