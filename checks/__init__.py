"""What we believe about the code, as checks that fail the build. Run by ``make check``."""
