"""Who takes part in a round: one file per rule."""
