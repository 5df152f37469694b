"""A security gateway for the Model Context Protocol. Start at ``ARCHITECTURE.md``."""

__version__ = "0.1.0"
