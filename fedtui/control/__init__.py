"""The seam between a node and its screens: the socket's language, and the side that asks."""
