"""Credential to principal, one file a kind."""
