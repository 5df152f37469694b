"""Signing in at the company's authorization server, on the machine of the person who does."""
