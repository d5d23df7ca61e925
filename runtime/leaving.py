"""The last step of a process that worked with Temporal: out, without what Python does at its end.

The SDK's threads may still want to tell Python something. Once Python has begun to end they can't any more, and its own
end then waits for theirs, for ever: a worker that was told to stop would stay (seen with SDK 1.35, in one of twenty
workers whose Temporal went away at the same time).
"""

import logging
import os
import sys
from typing import NoReturn


def leave(code: int = 0) -> NoReturn:
    """End this process now. Everything that had to be finished and closed has been."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
