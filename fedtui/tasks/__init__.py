"""What can be learned: one file per task, each with a `build(**options)`."""
