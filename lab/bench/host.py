# SPDX-License-Identifier: GPL-2.0-only
"""What the machine that runs the emulator does while samples are taken."""

import os
import platform
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
PERIOD = 0.2
# Processors that others may use while a sample is taken, and the share of the samples of
# which that is not true when nobody disturbs
OTHERS = 0.25
SHARE = 0.25


def disturbed(loads):
    """Whether others had the machine too often: loads are (emulator, others)."""
    return sum(others > OTHERS for _, others in loads) > SHARE * len(loads)


def cpu_model():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def describe():
    return {"cpu": cpu_model(), "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") *
            os.sysconf("SC_PHYS_PAGES") >> 20}


def _busy():
    with open("/proc/stat") as file:
        words = [int(w) for w in file.readline().split()[1:]]
    return (sum(words[:8]) - words[3] - words[4]) / TICK


def _of_process(pid):
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICK


class Load(threading.Thread):
    """Notes processor time, of the emulator and of everything, at a steady
    pace. L1's clock is found by the lines that it writes: none arrives
    before it was written."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.points = []
        self.offset = None
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(PERIOD):
            try:
                self.points.append((time.monotonic(), _of_process(self.pid),
                                    _busy()))
            except (OSError, IndexError):
                return

    def stop(self):
        self.stopped.set()

    def heard(self, l1_time):
        """A line has come that says it was written at L1's time."""
        offset = time.monotonic() - l1_time
        if self.offset is None or offset < self.offset:
            self.offset = offset

    def between(self, begin, end):
        """(processors that the emulator used, that others used), on average
        over an interval of L1's time; None if nothing is known."""
        if self.offset is None:
            return None
        begin, end = begin + self.offset, end + self.offset
        points = [p for p in self.points
                  if begin - PERIOD <= p[0] <= end + PERIOD]
        if len(points) < 2:
            return None
        (t0, e0, b0), (t1, e1, b1) = points[0], points[-1]
        emulator = (e1 - e0) / (t1 - t0)
        return emulator, max(0.0, (b1 - b0) / (t1 - t0) - emulator)
