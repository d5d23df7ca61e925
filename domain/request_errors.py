"""Refusals of a request as such, before anybody has asked what it wants; further children of `DomainError`.

DomainError
├── BadRequestError                400  bad-request
├── MalformedBodyError             400  malformed-body
├── MethodNotAllowedError          405  method-not-allowed
├── RequestTimeoutError            408  request-timeout
├── BodyTooLargeError              413  body-too-large
├── UnsupportedEncodingError       415  unsupported-encoding
├── UnsupportedMediaTypeError      415  unsupported-media-type
├── HeadTooLargeError              431  headers-too-large
└── TooManyConnectionsError        503  too-many-connections
"""

from domain.errors import DomainError


class BadRequestError(DomainError):
    """What came is not a request that HTTP allows."""

    code, status, title = "bad-request", 400, "The request cannot be read"


class MalformedBodyError(DomainError):
    """The body is not JSON that can be read."""

    code, status, title = "malformed-body", 400, "The body cannot be read"


class MethodNotAllowedError(DomainError):
    """The path exists, the method does not."""

    code, status, title = "method-not-allowed", 405, "Method not allowed"


class RequestTimeoutError(DomainError):
    """The request did not arrive whole in time."""

    code, status, title = "request-timeout", 408, "The request took too long to arrive"


class BodyTooLargeError(DomainError):
    """The body is over the limit."""

    code, status, title = "body-too-large", 413, "The body is too large"


class UnsupportedEncodingError(DomainError):
    """The body is compressed."""

    code, status, title = "unsupported-encoding", 415, "A compressed body is not taken"


class UnsupportedMediaTypeError(DomainError):
    """The body is not called JSON."""

    code, status, title = "unsupported-media-type", 415, "A body must be JSON"


class HeadTooLargeError(DomainError):
    """The request line and the headers are over the limit, or there are too many of them."""

    code, status, title = "headers-too-large", 431, "The headers are too large"


class TooManyConnectionsError(DomainError):
    """The process has as many connections as it takes."""

    code, status, title = "too-many-connections", 503, "Too many connections"
