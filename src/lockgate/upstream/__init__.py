"""The MCP servers behind us: catalogue, connections, sending."""
