"""The daemon on a participant's workstation, and the commands that talk to it."""
