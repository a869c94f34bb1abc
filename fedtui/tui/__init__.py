"""The operator's screen: draws a NodeStatus, asks a NodeControls. No torch, no sockets, no secrets."""
