"""Pieces of screens. A widget selects what it needs of the View and repaints only on change."""
