"""CPU time of the parts of a running system: each part is a process with everything below it."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU by part. Two readings are subtracted to see what was used in between."""

    seconds: Mapping[str, float] = field(default_factory=dict)

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu({part: used - earlier.seconds.get(part, 0.0) for part, used in self.seconds.items()})

    def __add__(self, other: "Cpu") -> "Cpu":
        parts = {**self.seconds, **other.seconds}
        return Cpu({part: self.seconds.get(part, 0.0) + other.seconds.get(part, 0.0) for part in parts})

    def ms_each(self, count: int) -> dict[str, float]:
        """Return milliseconds per thing done, by part."""
        return {part: used * 1000 / count for part, used in self.seconds.items()}

    def only(self, *parts: str) -> "Cpu":
        """Return the reading of some of the parts."""
        return Cpu({part: used for part, used in self.seconds.items() if part in parts})


def read_cpu(pids: Mapping[str, int]) -> Cpu:
    """Return what each part has used since it was started."""
    return Cpu({part: _of_tree(pid) for part, pid in pids.items()})


def _of_tree(pid: int) -> float:
    """Return user and system seconds of a process, of its living descendants, and of those that it has buried."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    used = 0.0
    for each in family:
        try:
            times = each.cpu_times()
            own = times.user + times.system if sys.platform != "linux" else _exactly(each.pid)
        except (psutil.NoSuchProcess, OSError):
            continue
        used += own + times.children_user + times.children_system
    return used


def _exactly(pid: int) -> float:
    """Return what a process has used to the nanosecond; /proc cuts each of twenty backends to hundredths of a second.

    The clock's id is what clock_getcpuclockid(3) makes of a process id on Linux, which Python does not offer.
    """
    return time.clock_gettime((~pid << 3) | 2)
