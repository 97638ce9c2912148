"""The fish farm: its predefined tasks, and a simulated pond and server to see them work."""
