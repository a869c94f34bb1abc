"""What a node's machine lives through, as screens show it: alike for real and simulated nodes."""
