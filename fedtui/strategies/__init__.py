"""How a mean update becomes the next model: one file per algorithm, both halves in it."""
