"""The scheduler as a service: what it tells who started it, and the unit by which systemd does."""
