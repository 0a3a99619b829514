"""Events of EC2, as the EBS user guide documents them."""

from __future__ import annotations

from typing import Any

NOTIFICATION = "EBS Snapshot Notification"
MULTI_VOLUME = "EBS Multi-Volume Snapshots Completion Status"


def arn(snapshot: str) -> str:
    """A snapshot's ARN as EBS events write it, the Region in the account's place."""
    return f"arn:aws:ec2::us-east-1:snapshot/{snapshot}"


def detail(snapshot: str, **changes: Any) -> dict[str, Any]:
    """The detail of a completed snapshot's event."""
    return {
        "event": "createSnapshot",
        "result": "succeeded",
        "cause": "",
        "request-id": "",
        "snapshot_id": arn(snapshot),
        "source": "arn:aws:ec2::us-east-1:volume/vol-01234567",
        "startTime": "2026-01-05T09:00:00Z",
        "endTime": "2026-01-05T09:10:00Z",
        **changes,
    }


def set_detail(*snapshots: tuple[str, str], **changes: Any) -> dict[str, Any]:
    """The detail of a multi-volume set's event, with each snapshot's status."""
    return {
        "event": "createSnapshots",
        "result": "succeeded",
        "cause": "",
        "request-id": "",
        "startTime": "2026-01-05T09:00:00Z",
        "endTime": "2026-01-05T09:10:00Z",
        "snapshots": [
            {
                "snapshot_id": arn(snapshot),
                "source": "arn:aws:ec2::us-east-1:volume/vol-01234567",
                "status": status,
            }
            for snapshot, status in snapshots
        ],
        **changes,
    }


def envelope(account: str, detail_type: str, content: dict[str, Any]) -> dict[str, Any]:
    """A raw event, as a person copies it from EventBridge or from the lost-events queue."""
    return {
        "version": "0",
        "id": "01234567-0123-0123-0123-012345678901",
        "detail-type": detail_type,
        "source": "aws.ec2",
        "account": account,
        "time": "2026-01-05T09:10:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": content,
    }
