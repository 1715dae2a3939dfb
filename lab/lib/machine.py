#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run an emulated machine and see that it comes to an end.

The machine's console goes to a file; its tests write their output to the file
"output" and the exit status to "status" in the results directory. A machine
that says nothing for too long, takes too long or panics is ended. How the run
went is left in "machine.json" beside them.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

RESULT = re.compile(r"^(not )?ok \d+(?: -)? ?(.*)")
PANIC = re.compile(rb"Kernel panic - not syncing")
POLL = 0.2


class Follower:
    """Gives the lines that were added to a file since the last look."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.partial = b""

    def lines(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self.offset += len(data)
        lines = (self.partial + data).split(b"\n")
        self.partial = lines.pop()
        return lines


class Progress:
    """Tells a person how far the tests are."""

    def __init__(self, label, verbose):
        self.label = label
        self.verbose = verbose
        self.passed = 0
        self.failed = 0
        self.start = self.shown = time.monotonic()

    def line(self, text):
        match = RESULT.match(text)
        if self.verbose:
            print(text, flush=True)
        if not match:
            return
        if match[1]:
            self.failed += 1
            if not self.verbose:
                print(f"{self.label}: not ok: {match[2]}", flush=True)
        else:
            self.passed += 1

    def tick(self):
        if self.verbose or time.monotonic() - self.shown < 15:
            return
        self.shown = time.monotonic()
        seconds = int(self.shown - self.start)
        print(f"{self.label}: {self.passed} ok, {self.failed} not ok after "
              f"{seconds // 60}:{seconds % 60:02}", flush=True)


def end(process):
    """End the process group that was started for the machine."""
    for sig, wait in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            return
        try:
            process.wait(wait)
            return
        except subprocess.TimeoutExpired:
            continue


def supervise(args, process):
    """Wait for the machine's end; return why it was ended, or None."""
    start = last = time.monotonic()
    panicked = None
    console = Follower(args.console)
    output = Follower(os.path.join(args.results, "output"))
    progress = Progress(args.label, args.verbose)

    while True:
        code = process.poll()
        now = time.monotonic()
        for line in output.lines():
            last = now
            progress.line(line.decode(errors="replace"))
        for line in console.lines():
            last = now
            if PANIC.search(line) and not panicked:
                panicked = now
        progress.tick()
        if code is not None:
            return "panic" if panicked else None
        if panicked and now - panicked > 5:
            return "panic"
        if now - start > args.timeout:
            return f"the run took more than {args.timeout} s"
        if now - last > args.silence:
            return f"no output for {args.silence} s"
        time.sleep(POLL)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", default="lab")
    parser.add_argument("--results", required=True)
    parser.add_argument("--console", required=True)
    parser.add_argument("--timeout", type=int, default=1200)
    parser.add_argument("--silence", type=int, default=120)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()

    start = time.monotonic()
    with open(args.console, "wb") as console:
        process = subprocess.Popen(args.command, stdin=subprocess.DEVNULL,
                                   stdout=console, stderr=subprocess.STDOUT,
                                   start_new_session=True)
    try:
        reason = supervise(args, process)
    finally:
        if process.poll() is None:
            end(process)

    status = None
    try:
        with open(os.path.join(args.results, "status")) as file:
            status = int(file.read())
    except (FileNotFoundError, ValueError):
        reason = reason or "the machine stopped before its tests were done"
    with open(os.path.join(args.results, "machine.json"), "w") as file:
        json.dump({"label": args.label, "ended": reason, "status": status,
                   "seconds": round(time.monotonic() - start, 1)}, file)
        file.write("\n")
    if reason:
        print(f"{args.label}: {reason}; console: {args.console}", flush=True)
        return 124
    return status


if __name__ == "__main__":
    sys.exit(main())
