"""The public conformance suite, straight at a fixture server and through Lockgate."""
