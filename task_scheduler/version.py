"""The version of this release; every part that names it reads it here."""

__all__ = ["__version__"]

__version__ = "1.0.0.dev0"
