"""fedtui: federated learning that people can see and trust."""

__version__ = "0.1.0"
