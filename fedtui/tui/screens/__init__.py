"""The seven screens; each answers one question in full."""
