"""Training as if nobody else existed: parameters, data, tasks and the local loop."""
