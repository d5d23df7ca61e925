"""Temporary files of tests lie in memory where the machine has room for them; else where they always do."""

import os
import shutil
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
# A whole run takes less than a tenth of it at any time.
_ROOM = 4 * 1024**3


def keep_temporary_files() -> None:
    """Have this process and those that it starts make their temporary files in memory, unless `TMPDIR` says where."""
    if "TMPDIR" not in os.environ and _is_fit():
        os.environ["TMPDIR"] = tempfile.tempdir = str(_IN_MEMORY)


def _is_fit() -> bool:
    """Say whether it is there, has room, and runs programs: some tests copy one."""
    return (
        os.access(_IN_MEMORY, os.W_OK)
        and shutil.disk_usage(_IN_MEMORY).free > _ROOM
        and not os.statvfs(_IN_MEMORY).f_flag & os.ST_NOEXEC
    )
