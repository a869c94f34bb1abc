"""fedtui-demo: a coordinator and nodes as separate programs, through their own commands."""

from fedtui.demo.main import main

__all__ = ["main"]
