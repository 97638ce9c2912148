"""Ready-made sets of tasks: the farm's predefined ones, and the examples."""
