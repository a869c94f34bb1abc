"""Whole federations in one process on a virtual clock, driven by the very same machines."""
