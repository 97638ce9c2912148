"""The channels of alerts: mail, webhook, command, and everything that apprise reaches.

Responsible for: the package alone. A channel imports what it needs when it sends.
"""
