"""Parts of tests that are more than a value: worlds, programs, servers."""
