"""How many updates become one: one file per aggregator."""
