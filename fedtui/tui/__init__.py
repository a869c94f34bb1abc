"""The operator's screen: draws a NodeStatus, asks a NodeControls; no torch, sockets or secrets."""
