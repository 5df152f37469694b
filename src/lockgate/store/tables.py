"""What is kept, as SQLAlchemy Core metadata: one description for SQLite and PostgreSQL.

Every time is in milliseconds since the Unix epoch. A change here needs a migration; a test compares
this file with what the migrations make.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

SCHEMA = "0011"
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
    Column("scopes", Text, nullable=False, server_default="[]"),
    Column("networks", Text, nullable=False, server_default="[]"),
    Column("successor", Text, nullable=False, server_default=text("''")),
    Column("used", BigInteger, nullable=False, server_default="0"),
)
"""``roles`` and ``scopes`` are sorted JSON arrays, ``networks`` is one as given; ``revoked`` and
``used`` are 0 until it happens. ``used`` changes without a new version of the topic."""

inquiry = Table(
    "inquiry",
    metadata,
    Column("id", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("kept_until", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("payload", Text, nullable=True),
    Column("result", Text, nullable=True),
    Column("title", Text, nullable=False, server_default=text("''")),
    Column("agent", Text, nullable=False, server_default=text("''")),
    Index("ix_inquiry_holder_digest", "holder", "digest"),
    Index("ix_inquiry_state_created", "state", "created"),
    Index("ix_inquiry_title_created", "title", "created"),
)
"""Questions to other people. ``body`` is the whole ``Inquiry`` as JSON; columns beside it repeat
what is searched for. ``payload`` and ``result`` are sealed, and emptied once they are not kept."""

vote = Table(
    "vote",
    metadata,
    Column("inquiry", Text, ForeignKey("inquiry.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("voter", Text, nullable=False, server_default=text("''")),
    Column("answer", Text, nullable=False, server_default=text("''")),
    Column("at", BigInteger, nullable=False, server_default="0"),
    Index("ix_vote_voter_at", "voter", "at"),
)
"""``number``: from 0 in the order given. Never changed."""

delegation = Table(
    "delegation",
    metadata,
    Column("id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

relation = Table(
    "relation",
    metadata,
    Column("source", Text, primary_key=True),
    Column("entity", Text, primary_key=True),
    Column("relation", Text, primary_key=True),
    Column("who", Text, primary_key=True),
)
"""Who stands in which relation to what, as each source last said."""

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


def _plain(name: str, key: str, texts: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    return Table(
        name,
        metadata,
        *(Column(text, Text, primary_key=text == key, nullable=False) for text in (key, *texts)),
        *(Column(number, BigInteger, nullable=False) for number in numbers),
    )


recovery_code = _plain("recovery_code", "hash", ("made_by",), ("expires", "used"))
"""At most one row. ``hash`` is keyed, ``used`` is 0 until it happens."""

recovery_try = Table(
    "recovery_try",
    metadata,
    Column("source", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Wrong codes of late."""

console_session = _plain(
    "console_session",
    "hash",
    ("identity", "name", "sid", "roles"),
    ("opened", "seen", "expires", "fresh"),
)

notification = _plain(
    "notification", "id", ("channel", "inquiry", "kind", "state", "message", "fault"),
    ("made", "due", "begun", "tries", "leased", "ended"),
)  # fmt: skip
Index("ix_notification_channel_state", notification.c.channel, notification.c.state)
Index("ix_notification_message", notification.c.message)
"""What approvers are told, until it is delivered, and for a while after: ``Notification``."""

configuration = _plain("configuration", "host", ("digest",), ("taken",))
"""The configuration that a worker of this host took last."""

ended_session = _plain("ended_session", "id", (), ("expires",))
"""Sealed sessions need no row; an ended one does, until it would have expired anyway."""

used_once = _plain("used_once", "id", (), ("expires",))
"""Sign-ins and logout tokens that were taken, until they would be refused for their age."""
secret = Table(
    "secret",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("probed", BigInteger, nullable=False),
    Column("probe", Text, nullable=False),
)
"""What was noticed of each secret that the configuration names, never its value; 0 where a time is
unknown. Who uses it and how old it may be, the configuration says."""

feed = Table(
    "feed",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""A number a topic, raised in the same transaction as every change of its rows."""

revocation = Table(
    "revocation",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("issuer", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("before", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)
"""Access tokens that count no more: see ``model.revocation``."""

used_proof = Table(
    "used_proof",
    metadata,
    Column("mark", Text, primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Index("ix_used_proof_expires", "expires"),
)
"""DPoP proofs (RFC 9449) that were accepted, by a digest, until they would be too old anyway."""
person = Table(
    "person",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("groups", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("learned", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("employee", Text, nullable=False, server_default=text("''")),
    Index("ix_person_folded", "folded"),
    Index("ix_person_employee", "employee"),
    Index("ix_person_version", "version"),
)
"""``folded`` is ``user_name`` without case; ``groups`` is a sorted JSON array; ``version`` is the
topic's in the feed at the row's last change, so that a worker reads only what is new to it."""

person_group = Table(
    "person_group",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("members", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("learned", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("ix_person_group_version", "version"),
)
"""``members`` is a sorted JSON array of ``person.id``."""

person_source = _plain("person_source", "name", (), ("tried", "heard"))
"""When a source that is read by us was last asked, and when it last answered in full."""

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
