"""What operators, and machines that need an operator's word, can be refused.

DomainError
├── SignInRefusedError       401  sign-in-refused
├── StepUpRequiredError      401  step-up-required
├── CodeRefusedError         403  code-refused
├── OperatorsOnlyError       403  operators-only
├── ApprovalRequiredError    403  approval-required
├── ApprovalRefusedError     403  approval-refused
├── SelfApprovalError        403  self-approval
├── OperatorExistsError      409  operator-exists
├── LastOwnerError           409  last-owner
├── ApprovalDecidedError     409  approval-decided
├── InvitationEndedError     410  invitation-ended
├── AccountNeededError       422  account-needed
├── WeakPasswordError        422  weak-password
└── CodesThrottledError      429  codes-throttled
"""

from domain.errors import DomainError


class SignInRefusedError(DomainError):
    """The e-mail address, the password or the code is not right; which of them is not said."""

    code, status, title = "sign-in-refused", 401, "The sign-in is not right"


class StepUpRequiredError(DomainError):
    """The operation is sensitive, and the second factor was seen too long ago."""

    code, status, title = "step-up-required", 401, "A fresh second factor is needed"


class CodeRefusedError(DomainError):
    """The code of the second factor is not right, is too old, or was used before."""

    code, status, title = "code-refused", 403, "The code is not right"


class OperatorsOnlyError(DomainError):
    """Only people do this; a key or a token cannot."""

    code, status, title = "operators-only", 403, "Only operators may do this"


class ApprovalRequiredError(DomainError):
    """The operation is sensitive, and a machine asks for it: an operator has to approve it first."""

    code, status, title = "approval-required", 403, "An operator has to approve this"


class ApprovalRefusedError(DomainError):
    """The approval that was named does not let this request through."""

    code, status, title = "approval-refused", 403, "The approval is not for this"


class SelfApprovalError(DomainError):
    """Whoever made the key may not approve what it asks for."""

    code, status, title = "self-approval", 403, "Another operator has to decide this"


class OperatorExistsError(DomainError):
    """There is an operator with this e-mail address."""

    code, status, title = "operator-exists", 409, "There is an operator with this address"


class LastOwnerError(DomainError):
    """It would leave the instance without an active owner."""

    code, status, title = "last-owner", 409, "The instance needs an owner"


class ApprovalDecidedError(DomainError):
    """The approval is no longer pending."""

    code, status, title = "approval-decided", 409, "The approval is decided"


class InvitationEndedError(DomainError):
    """The invitation is not known, was used, or has expired."""

    code, status, title = "invitation-ended", 410, "The invitation has ended"


class AccountNeededError(DomainError):
    """An operator has to say on which account and environment."""

    code, status, title = "account-needed", 422, "Say which account"


class WeakPasswordError(DomainError):
    """The password is too easy to guess."""

    code, status, title = "weak-password", 422, "The password is too weak"


class CodesThrottledError(DomainError):
    """Too many wrong passwords or codes for this operator."""

    code, status, title = "codes-throttled", 429, "Too many wrong passwords or codes"
