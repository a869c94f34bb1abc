"""Simulated federations as runs on disk: what `fedtui-simulate` does."""
