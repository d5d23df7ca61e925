"""Temporary files of tests lie in memory where the machine has room for them; else where they always do."""

import os
import shutil
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
# A whole run takes less than a tenth of it at any time.
_ROOM = 4 * 1024**3


def keep_temporary_files() -> None:
    """Have this process and those that it starts make their temporary files in memory."""
    if "TMPDIR" not in os.environ and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_IN_MEMORY)
