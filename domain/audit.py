"""What goes into the audit trail: who did what to which thing. Never a number, a code, a key, an address or a text.

An entry names things by their public ids and personal values by their keyed hash, so that erasing a person changes
nothing in the trail. Actions are data: one that is not listed is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from domain.statuses import Environment

JsonScalar: TypeAlias = str | int | bool | None
SYSTEM = "system"
# The chain of entries that are no account's.
INSTANCE_CHAIN = "instance"
# What every JSON reader keeps exact (RFC 7493).
_LARGEST = 2**53 - 1
_MOST_DETAILS, _LONGEST_DETAIL = 20, 200
_ACTOR = re.compile(r"system|(?:key|client|operator|carrier):[0-9A-Za-z_.-]{1,64}")
_SUBJECT = re.compile(r"[!-~]{1,96}")
_DETAIL_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# A full number, or one of our keys: what must never be written down. A second line, behind those who write entries.
_PERSONAL = re.compile(r"\+[1-9][0-9]{6,14}(?![0-9])|cs_(?:test|live|secret|at)_[0-9A-Za-z]{46}")

# Each action, and what it says has happened. `docs/audit.md` lists them; a test holds both together.
ACTIONS: Mapping[str, str] = {
    "account.changed": "An account's plan, limits or settings were changed.",
    "account.created": "An account was made.",
    "account.reinstated": "An account may send again.",
    "account.suspended": "An account may not send, or do less than before.",
    "approval.approved": "An operator approved what a machine asked for.",
    "approval.rejected": "An operator rejected what a machine asked for.",
    "approval.requested": "A machine asked for a sensitive operation, which waits for an operator.",
    "approval.used": "A machine did what was approved; the approval is used up.",
    "audit.begun": "An account from before the audit trail got its chain.",
    "audit.cut": "Entries older than retention were removed behind a signed cut.",
    "audit.exported": "A chain was exported.",
    "authentication.failed": "A key or token was not accepted; entries of one minute are one, with their count.",
    "authentication.throttled": "An address failed so often that it is asked to wait.",
    "checks.budget_reached": "An account, or the instance, used up its wrong checks of the hour.",
    "client.created": "A client of the token endpoint was made.",
    "client.leak_reported": "A client's secret was reported as leaked, and the client revoked.",
    "client.revoked": "A client of the token endpoint was revoked, and its tokens with it.",
    "client.used_widely": "A client's tokens were used from unusually many addresses.",
    "codec.decoded": "Payloads of a workflow were decoded for a person.",
    "configuration.loaded": "A process started with settings or files that differ from the last ones.",
    "key.changed": "An API key's name or allowlist was changed.",
    "key.created": "An API key was made.",
    "key.first_used": "An API key was used for the first time.",
    "key.leak_reported": "An API key was reported as leaked, and revoked.",
    "key.revoked": "An API key was revoked.",
    "key.rotated": "An API key got a successor.",
    "key.used_widely": "An API key was used from unusually many addresses.",
    "keys.rewrapped": "The wrapped keys were wrapped with another key-encryption key.",
    "keys.rotated": "Data keys got new versions.",
    "keys.taken_over": "Keys derived from the master key were wrapped and stored.",
    "number.changed": "The terms of a sender number's lease were changed.",
    "number.lease_ending": "An account was told that the lease of a sender number ends soon.",
    "number.lease_renewed": "The lease of a sender number lasts one period more.",
    "number.lease_started": "The first period of a sender number's lease began.",
    "number.locked": "A number was locked after too many wrong codes in a row.",
    "number.status_changed": "A sender number moved on in its life: reserved, leased, set aside, given back.",
    "number.unlocked": "An account lifted what a number's wrong codes had brought about.",
    "operator.changed": "An operator's name, role, status or allowlist was changed.",
    "operator.disabled": "An operator was disabled, and signed out everywhere.",
    "operator.enrolled": "An operator chose a password and enrolled a second factor.",
    "operator.factor_reset": "An operator's password and second factor were taken away, and a new invitation made.",
    "operator.invited": "A person was invited to be an operator.",
    "operator.sign_in_failed": "A sign-in or a code was not accepted; entries of one minute are one, with their count.",
    "operator.signed_in": "An operator signed in.",
    "operator.signed_out": "An operator signed out.",
    "operator.stepped_up": "An operator proved the second factor anew.",
    "person.erased": "What was kept of a person was erased.",
    "policy.changed": "An account set how its messages reach a country.",
    "pools.loaded": "Senders, or where they may be used, were added to the pools from the reference data.",
    "receipt.refused": "A receipt with a bad signature, or for a message that was not that carrier's, was refused.",
    "sandbox.carrier_restored": "A sandbox carrier accepts everything again.",
    "sandbox.carrier_scripted": "A sandbox carrier was scripted.",
    "schema.migrated": "The database was brought to another revision.",
    "send.refused": "A message was refused, by the rule that is named; those of one hour are one, with their count.",
    "token.issued": "A client was given an access token.",
    "token.leak_reported": "An access token was reported as leaked, and ended.",
    "token.revoked": "A client ended an access token of its own.",
    "webhook.changed": "A webhook endpoint was changed.",
    "webhook.created": "A webhook endpoint was made.",
    "webhook.deleted": "A webhook endpoint was deleted.",
    "webhook.disabled": "A webhook endpoint was switched off after failing for days.",
    "webhook.secret_rotated": "A webhook endpoint got a new secret.",
}


class UnfitForAuditError(ValueError):
    """An entry that must not be written; the sentence says why. A mistake of the program, never of a caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that happened. `account_id` None is the instance's chain.

    Raises:
        UnfitForAuditError: the action is not listed, a field is not of its form, or a value looks personal.

    """

    account_id: UUID | None
    environment: Environment | None
    actor: str
    action: str
    subject: str | None
    details: Mapping[str, JsonScalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise UnfitForAuditError(f"the action {self.action!r} is not listed in domain/audit.py")
        if not _ACTOR.fullmatch(self.actor):
            raise UnfitForAuditError("an actor is `system`, or `key:`, `client:`, `operator:` or `carrier:` and an id")
        if self.subject is not None and not _SUBJECT.fullmatch(self.subject):
            raise UnfitForAuditError("a subject is a public id or a keyed hash: up to 96 printable ASCII characters")
        if len(self.details) > _MOST_DETAILS:
            raise UnfitForAuditError(f"an entry has at most {_MOST_DETAILS} details")
        for name, value in self.details.items():
            _ensure_fit(name, value)
        if any(_PERSONAL.search(text) for text in (self.subject or "", *_texts(self.details))):
            raise UnfitForAuditError("a full number or a key does not go into the audit trail")


def chain_of(account_id: UUID | None) -> str:
    """Return the name of the chain that an account's entries are in; None is the instance."""
    return INSTANCE_CHAIN if account_id is None else account_id.hex


def _ensure_fit(name: str, value: object) -> None:
    if not _DETAIL_NAME.fullmatch(name):
        raise UnfitForAuditError(f"a detail's name is lower case with underscores, not {name!r}")
    if isinstance(value, str):
        if len(value) > _LONGEST_DETAIL or "\x00" in value or not value.isprintable():
            raise UnfitForAuditError(f"the detail {name} is not up to {_LONGEST_DETAIL} printable characters")
    elif value is not None and not isinstance(value, int):
        raise UnfitForAuditError(f"the detail {name} is neither text, integer, boolean nor null")
    elif isinstance(value, int) and abs(value) > _LARGEST:
        raise UnfitForAuditError(f"the detail {name} is too large to be exact in every JSON reader")


def _texts(details: Mapping[str, JsonScalar]) -> list[str]:
    return [value for value in details.values() if isinstance(value, str)]
