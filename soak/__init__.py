"""A long run of a real gateway under mixed load, with upstreams that die and return.

``make soak ARGS="--minutes 60 --report FILE"``. It fails where a call was lost or doubled, where an
intent has no outcome, where something grows, or where something is left behind.
"""
