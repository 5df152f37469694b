"""Adapters: SQLite, PostgreSQL and memory. The only room that speaks SQL."""
