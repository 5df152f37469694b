"""Adapters: SQLite and memory. The only room that speaks SQL."""
