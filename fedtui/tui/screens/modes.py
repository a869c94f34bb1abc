"""The seven screens by the names that commands and settings use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.tui.screens.events import EventsScreen
from fedtui.tui.screens.federation import FederationScreen
from fedtui.tui.screens.network import NetworkScreen
from fedtui.tui.screens.overview import OverviewScreen
from fedtui.tui.screens.privacy import PrivacyScreen
from fedtui.tui.screens.rounds import RoundsScreen
from fedtui.tui.screens.training import TrainingScreen

if TYPE_CHECKING:
    from fedtui.tui.screens.base import BaseScreen

SCREENS: dict[str, type[BaseScreen]] = {
    "overview": OverviewScreen,
    "training": TrainingScreen,
    "rounds": RoundsScreen,
    "network": NetworkScreen,
    "privacy": PrivacyScreen,
    "federation": FederationScreen,
    "events": EventsScreen,
}
