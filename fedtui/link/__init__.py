"""A session brought to life: the part of a websocket that node and coordinator share."""
