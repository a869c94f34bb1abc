"""What crosses the network: the channel, its records, messages and invites."""
