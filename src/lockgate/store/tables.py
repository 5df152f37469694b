"""What is kept, as SQLAlchemy Core metadata: one description for SQLite and PostgreSQL.

Every time is in milliseconds since the Unix epoch. A change here needs a migration; a test compares
this file with what the migrations make.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

SCHEMA = "0006"
"""The newest migration, which this code reads and writes."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up by itself only in a column declared exactly INTEGER.
_SEQ = BigInteger().with_variant(Integer(), "sqlite")

event = Table(
    "event",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("effect", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Index("uq_event_id", "id", unique=True),
    Index("ix_event_call", "call"),
    # Never gives a number again, even after the newest rows were deleted.
    sqlite_autoincrement=True,
)
"""``method``, ``upstream`` and ``target`` repeat the header so that they can be searched."""

slot = Table(
    "slot",
    metadata,
    Column("event_id", Text, ForeignKey("event.id"), primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    # Kept in key order, in one tree instead of two.
    sqlite_with_rowid=False,
)
"""Personal or confidential parts of events. A row here can be destroyed; the event stays."""

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("revoked", BigInteger, nullable=False),
)
"""``roles`` is a sorted JSON array; ``revoked`` is 0 until it happens."""

approval = Table(
    "approval",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call", Text, nullable=False),
    Column("binding", Text, nullable=False),
    Column("factor", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=True),
    Index("ix_approval_call", "call"),
)
"""``call`` is the digest of the call that was approved."""

ended_session = Table(
    "ended_session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("expires", BigInteger, nullable=False),
)
"""Sealed sessions need no row; an ended one does, until it would have expired anyway."""

session_state = Table(
    "session_state",
    metadata,
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Index("ix_session_state_version", "version"),
)
"""What clients set in their sessions, as JSON. ``version`` is the topic's in the feed at its last
change, so that a worker reads only what is new to it."""

configuration = Table(
    "configuration",
    metadata,
    Column("host", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("taken", BigInteger, nullable=False),
)
"""The configuration that a worker of this host took last."""

account = Table(
    "account",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("upstream", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("connected", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("broken", Text, nullable=False),
    Column("leased", BigInteger, nullable=False),
    Column("sealed", Text, nullable=False),
)
"""``sealed`` holds the tokens, and opens only for this principal and upstream. Until ``leased`` one
worker is renewing this ``version``."""

used_once = Table(
    "used_once",
    metadata,
    Column("id", Text, primary_key=True),
    Column("expires", BigInteger, nullable=False),
)
"""Hashes of what may be used only once, until it could not be used any more anyway."""

feed = Table(
    "feed",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""A number a topic, raised in the same transaction as every change of its rows."""
