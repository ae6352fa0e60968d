"""Which IAM policy does a service have? One that is kept on disk and changed by etag."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from google.iam.v1 import policy_pb2
from google.protobuf import json_format

from emulators.clock import Clock
from emulators.cloud_run.history import History
from emulators.cloud_run.model.errors import aborted, invalid
from emulators.cloud_run.model.policy import check_policy
from emulators.cloud_run.store import Store
from emulators.rpc.method import Message

KIND = "policies"
_ETAG_BYTES = 8
# Google's etag of a policy that was never set: ACAB in base64.
_NEVER_SET = b"\x00\x20\x01"


class Policies:
    """The policies of all services, by service id."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._history = History(clock)
        documents = store.load(KIND).items()
        self._policies = {key: json_format.ParseDict(text, policy_pb2.Policy()) for key, text in documents}
        for key, policy in self._policies.items():
            self._history.begin_with(key, policy)

    def get(self, service_id: str, ago: float = 0.0) -> Message:
        """The policy of a service, as it was so many seconds ago; an empty one when none was ever set."""
        then = self._history.seconds_ago(ago) if ago else self._policies
        return then.get(service_id, policy_pb2.Policy(etag=_NEVER_SET))

    async def set(self, service_id: str, asked: Message, paths: Collection[str]) -> Message:
        """Replace the policy, or its masked fields; ABORTED when an etag is given that is not the current one."""
        policy = policy_pb2.Policy()
        policy.CopyFrom(self.get(service_id))
        if asked.etag and asked.etag != policy.etag:
            raise aborted(
                "There were concurrent policy changes. "
                "Please retry the whole read-modify-write with exponential backoff."
            )
        _replace(policy, asked, frozenset(paths) or {"bindings", "version"})
        check_policy(policy)
        policy.etag = secrets.token_bytes(_ETAG_BYTES)
        policy.version = policy.version or 1
        self._policies[service_id] = policy
        self._history.note(service_id, policy)
        await self._store.put(KIND, service_id, json_format.MessageToDict(policy))
        return policy

    async def forget(self, service_id: str) -> None:
        """The service is deleted, and its policy with it."""
        if self._policies.pop(service_id, None) is not None:
            self._history.note(service_id, None)
            await self._store.remove(KIND, service_id)


def _replace(policy: Message, asked: Message, paths: Collection[str]) -> None:
    for path in paths:
        if path not in policy.DESCRIPTOR.fields_by_name:
            raise invalid("update_mask", f"Invalid update mask path '{path}': a policy has no such field.")
        policy.ClearField(path)
    part = policy_pb2.Policy()
    part.CopyFrom(asked)
    for field, _ in asked.ListFields():
        if field.name not in paths:
            part.ClearField(field.name)
    policy.MergeFrom(part)
