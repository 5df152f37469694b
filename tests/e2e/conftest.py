"""What end-to-end tests of several files share."""

from collections.abc import Iterator

import pytest

from support.bridge import bridge
from support.gateway import Gateway


@pytest.fixture(scope="session")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before servers of either era, over HTTP and stdio; one for all tests."""
    with bridge(tmp_path_factory.mktemp("bridge")) as running:
        yield running
