from pathlib import Path

from lockgate.control_plane.services.deployment import Deployment


def test_secrets_are_kept_within_the_data_directory() -> None:
    made = Deployment(
        Path("/c/lockgate.yaml"), Path("/d"), "127.0.0.1", 1, "http://127.0.0.1:1/mcp"
    )
    assert made.secrets_dir == Path("/d/secrets")
