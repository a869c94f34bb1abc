"""`python -m node` is `fedtui`."""

from node.cli import main

main()
