"""Stores: the durable ledger behind the port `core.ports.Store`."""
