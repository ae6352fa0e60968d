"""What becomes of a version that is replaced or deleted?  It turns noncurrent, can be restored for days, or is gone."""

from dataclasses import replace
from datetime import datetime, timedelta

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.buckets import Bucket
from emulators.cloud_storage.kept.records import HOLDS, ObjectRecord


def check_not_held(record: ObjectRecord) -> None:
    """Raise when a hold forbids that the version is deleted or replaced."""
    for hold in HOLDS:
        if record.attributes.get(hold):
            message = (
                f"Object '{record.bucket}/{record.name}' is under active {hold} "
                "and cannot be deleted, overwritten or archived until the hold is removed."
            )
            raise StorageError(Reason.HELD, message)


def after_replacing(record: ObjectRecord, bucket: Bucket, now: datetime) -> ObjectRecord | None:
    """What stays of a live version that another one replaces, or that is deleted without naming its generation."""
    if bucket.is_versioned:
        return replace(record, noncurrent_since=now)
    return after_deleting(record, bucket, now)


def after_deleting(record: ObjectRecord, bucket: Bucket, now: datetime) -> ObjectRecord | None:
    """What stays of a version that is deleted by its generation: None once nothing can bring it back."""
    if not bucket.soft_delete_seconds:
        return None
    hard_delete = now + timedelta(seconds=bucket.soft_delete_seconds)
    return replace(record, soft_deleted=now, hard_delete=hard_delete)
