"""The coordinator's screen: pure presentation of a Board, over CoordinatorControls."""
