"""A key book in memory."""

from lockgate.model import KeyRecord


class Book:
    """A key book whose every page can be turned by hand."""

    def __init__(self, *records: KeyRecord) -> None:
        self.records = {record.id: record for record in records}
        self.version = 1
        self.is_fresh = True
        self.looked_up = 0

    def find(self, key_id: str) -> KeyRecord | None:
        self.looked_up += 1
        return self.records.get(key_id)

    def fresh(self, now_ms: int) -> bool:
        return self.is_fresh

    def replace(self, record: KeyRecord) -> None:
        self.records[record.id] = record
        self.version += 1
