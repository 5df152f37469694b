"""Bytes to requests and back, sans I/O. Knows MCP and JSON-RPC; knows nothing about policy."""
