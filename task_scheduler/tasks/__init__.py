"""Tasks: what is run. One kind per module, all of them `BaseTask`."""
