"""What a malicious node does instead of its work: one file per attack."""
