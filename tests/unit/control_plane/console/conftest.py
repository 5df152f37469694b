import pytest

from support.console_desk import ConsoleDesk


@pytest.fixture
def desk() -> ConsoleDesk:
    return ConsoleDesk()
