"""Join: find a coordinator, be sure of it, try task and data, set limits, agree, wait."""
