"""How coordinator.db came to its present shape: forward only, one file per step."""
