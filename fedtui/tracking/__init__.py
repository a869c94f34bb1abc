"""Where the figures of rounds may go besides: one file per tracker, each an optional extra."""
