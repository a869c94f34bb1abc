"""What asks the operator something, or shows one thing in full, above the screen."""
