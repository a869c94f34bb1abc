"""What the screens are made of: each pane answers one question, in as many rows as it is given."""
