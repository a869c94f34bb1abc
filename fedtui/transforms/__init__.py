"""How updates are made smaller before they leave; one file each, found by its name."""
