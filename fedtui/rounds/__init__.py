"""The conversation: machines that turn events and time into effects."""
