"""The control plane: services and their faces (today the CLI)."""
