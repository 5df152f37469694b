"""Composition root: settings, wiring, processes, sockets."""
