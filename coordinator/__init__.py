"""The coordinator: the program that puts a federation on a network and a disk."""
