"""Differential privacy: what is spent, and how the noise is made."""
