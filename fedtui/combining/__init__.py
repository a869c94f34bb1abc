"""How updates become the next model, chunk by chunk: for the coordinator and for simulations."""
