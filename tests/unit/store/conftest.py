"""A fresh embedded database for each test that wants one."""

import pytest
from sqlalchemy import Engine


@pytest.fixture
def engine(sqlite: Engine) -> Engine:
    return sqlite
