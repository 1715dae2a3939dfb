#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot L1 again and again and have it measure what the plan says.

A row that fails, or that L1 dies in, is tried once more; one that fails again is
left out, and the run fails in the end. A row during which something else had the
processors is measured anew, a few times. A run that was interrupted goes on if
nothing has changed.
"""
# The command that follows "--" boots L1 with the directory --run as /results; what
# is measured goes to samples.jsonl in it. --input names files that must be the
# same for a run to go on.

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]

import host  # noqa: E402
import machine  # noqa: E402
import plan  # noqa: E402
from store import Store  # noqa: E402

ATTEMPTS = 2
# How often a row of a round is measured again because of others, and then taken as it is
REPEATS = 2
# L1 boots, and guests with firmware, take that long at worst
SILENCE = 150


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def digest(paths, parameters):
    """A hash of files and directories, by content, and of the parameters."""
    total = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for top in paths:
        files = [top]
        if os.path.isdir(top):
            files = sorted(os.path.join(d, f) for d, _, names in os.walk(top)
                           for f in names)
        for path in files:
            total.update(os.path.relpath(path, top).encode())
            with open(path, "rb") as file:
                total.update(file.read())
    return total.hexdigest()


class Progress:
    def __init__(self, amount):
        self.amount = amount
        self.start = time.monotonic()
        self.planned = self.spent = 0

    def say(self, text, left):
        """left: the modes that are still to be measured."""
        seconds = sum(plan.seconds(mode, self.amount) for mode in left)
        # The pace of this machine so far
        if self.planned:
            seconds *= self.spent / self.planned
        now = clock(time.monotonic() - self.start)
        print(f"bench: {now}: {text}; about {clock(seconds)} left", flush=True)

    def took(self, mode, seconds):
        self.planned += plan.seconds(mode, self.amount)
        self.spent += seconds


class Bench:
    def __init__(self, args, amount):
        self.args = args
        self.amount = amount
        self.store = Store(os.path.join(args.run, "samples.jsonl"))
        self.store.load()
        self.progress = Progress(amount)
        self.plan = plan.rounds(args.modes, amount, args.seed)

    def pending(self, number):
        """What is left to do in a round."""
        done, failed = self.store.done(), self.store.failures()
        return [(mode, items) for mode, items in self.plan[number]
                if (number, mode) not in done and
                failed.get((number, mode), 0) < ATTEMPTS]

    def left(self):
        return [mode for number in range(len(self.plan))
                for mode, _ in self.pending(number)]

    def path(self, name):
        return os.path.join(self.args.run, name)

    def run(self):
        for number in range(len(self.plan)):
            while self.pending(number):
                self.boot(number, self.pending(number))
        given_up = [f"{mode} in round {number + 1}"
                    for (number, mode), n in self.store.failures().items()
                    if n >= ATTEMPTS]
        for what in given_up:
            print(f"bench: {what} failed {ATTEMPTS} times and is left out",
                  flush=True)
        return 1 if given_up else 0

    def boot(self, number, todo):
        """One boot of L1; each mode of it reaches an end or a failure."""
        for name in ("output", "status", "console"):
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
        with open(self.path("plan"), "w") as file:
            file.writelines(f"{mode} {' '.join(items)}\n"
                            for mode, items in todo)
        with open(self.path("command"), "w") as file:
            file.write("bash /opt/vhost-iommu/bench/round /results/plan\n")
        self.number, self.mode, self.began = number, None, time.monotonic()
        self.attempt, self.ended = None, 0
        with open(self.path("console"), "wb") as console:
            process = subprocess.Popen(
                self.args.command, stdin=subprocess.DEVNULL, stdout=console,
                stderr=subprocess.STDOUT, start_new_session=True)
        self.load = host.Load(process.pid)
        self.load.start()
        try:
            why = self.follow(process)
        finally:
            self.load.stop()
            if process.poll() is None:
                machine.end(process)
        left = [mode for mode, _ in self.pending(number)]
        if self.mode or (left and (why or not self.ended)):
            self.lost(self.mode or left[0],
                      why or "L1 ended before it was done")

    def lost(self, mode, why):
        """L1 is gone; the mode that it was in has failed."""
        if not self.mode:
            self.mode = mode
            self.attempt = self.attempts(mode)
        keep = f"failed/{mode}.{self.number}.{self.attempt}.L1"
        os.makedirs(self.path(keep), exist_ok=True)
        for name in ("console", "output"):
            if os.path.exists(self.path(name)):
                shutil.copy(self.path(name), self.path(keep))
        self.record({"event": "failed", "mode": mode, "logs": keep,
                     "why": why})

    def follow(self, process):
        """Take what L1 writes until it ends; return why it was ended."""
        output = machine.Follower(self.path("output"))
        console = machine.Follower(self.path("console"))
        last = time.monotonic()
        while True:
            code = process.poll()
            for line in output.lines():
                last = time.monotonic()
                self.line(line.decode(errors="replace"))
            for line in console.lines():
                last = time.monotonic()
                if machine.PANIC.search(line):
                    return "L1 panicked"
            if code is not None:
                return None
            if time.monotonic() - last > SILENCE:
                return f"L1 said nothing for {SILENCE} s"
            time.sleep(0.1)

    def line(self, text):
        if not text.startswith("{"):
            if text.strip():
                print(f"bench: | {text}", flush=True)
            return
        record = json.loads(text)
        if record.get("event") == "versions":
            self.store.add(record)
            return
        if "item" in record:
            record["event"] = "sample"
            self.load.heard(record["begin"] + record["seconds"])
            record["host"] = self.load.between(
                record["begin"], record["begin"] + record["seconds"])
        self.record(record)

    def attempts(self, mode):
        key = self.number, mode
        return self.store.failures().get(key, 0) + \
            self.store.disturbances().get(key, 0)

    def disturbed(self, mode):
        """Others had the machine, and it is worth another try."""
        loads = [r["host"] for r in self.store.under_way(self.number, mode)
                 if r.get("host")]
        return host.disturbed(loads) and self.store.disturbances().get(
                (self.number, mode), 0) < REPEATS

    def record(self, record):
        if record["event"] == "end" and self.disturbed(record["mode"]):
            record["event"] = "disturbed"
        event, mode = record["event"], record["mode"]
        if event == "begin":
            self.load.heard(record["uptime"])
            self.mode, self.began = mode, time.monotonic()
            self.attempt = self.attempts(mode)
        elif event == "ring":
            with open(self.path(record.pop("file"))) as file:
                record["data"] = json.load(file)
        record.update(round=self.number, attempt=self.attempt)
        self.store.add(record)
        if event not in ("end", "failed", "disturbed"):
            return
        took = time.monotonic() - self.began
        self.mode = None
        self.ended += 1
        if event == "end":
            self.progress.took(mode, took)
            text = f"{mode}: {took:.0f} s"
        elif event == "disturbed":
            text = f"{mode}: something else had the processors, once more"
        else:
            text = f"{mode} FAILED" + (f" ({record['why']})"
                                       if record.get("why") else "") + \
                f", logs: {self.path(record['logs'])}"
        self.progress.say(f"round {self.number + 1} of {len(self.plan)}, "
                          f"{text}", self.left())


def setting(text):
    """An amount of the plan, as an argument."""
    name, _, value = text.partition("=")
    if not isinstance(plan.FULL.get(name), int) or not value.isdigit():
        raise argparse.ArgumentTypeError(f"not an amount: {text}")
    return name, int(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="2 rounds, one short sample of each")
    parser.add_argument("--rounds", type=int,
                        help="how often each row is booted")
    parser.add_argument("--modes", type=lambda s: s.split(","),
                        default=list(plan.MODES), metavar="ROW,...",
                        help="rows to measure: " + ", ".join(plan.MODES))
    parser.add_argument("--set", action="append", default=[],
                        metavar="WHAT=NUMBER", type=setting,
                        help="another amount: " + ", ".join(
                            f"{k}={v}" for k, v in plan.FULL.items()
                            if isinstance(v, int)))
    parser.add_argument("--ring", metavar="ARGUMENTS",
                        help="of the test tool's benchmark, for the row ring")
    parser.add_argument("--seed", type=int, default=1,
                        help="of the order")
    parser.add_argument("--again", action="store_true",
                        help="don't go on with what was interrupted")
    # From the lab
    for option in ("--input", "--version"):
        parser.add_argument(option, action="append", default=[],
                            help=argparse.SUPPRESS)
    parser.add_argument("--run", required=True, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()

    unknown = set(args.modes) - set(plan.MODES)
    if unknown:
        parser.error(f"no such mode: {', '.join(sorted(unknown))}; there are "
                     f"{', '.join(plan.MODES)}")
    amount = dict(plan.QUICK if args.quick else plan.FULL)
    if args.rounds:
        amount["rounds"] = args.rounds
    amount.update(args.set)
    if args.ring:
        amount["ring"] = ":".join(args.ring.split())
    parameters = {"amount": amount, "modes": args.modes, "seed": args.seed}
    bench = Bench(args, amount)
    if args.again or not bench.left():
        # What was complete is measured anew, but kept
        if bench.store.config:
            os.replace(bench.store.path, bench.path("samples.previous.jsonl"))
        bench.store.config, bench.store.records = None, []
    goes_on = bench.store.begin({
        "hash": digest(args.input, [parameters, args.version, args.command]),
        "parameters": parameters, "machine": host.describe(),
        "versions": dict(v.split("=", 1) for v in args.version),
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z")})
    if not goes_on:
        shutil.rmtree(bench.path("failed"), ignore_errors=True)
    if goes_on and bench.store.done():
        bench.progress.say("going on with what was interrupted",
                           bench.left())
    else:
        bench.progress.say(f"{len(bench.left())} boots in "
                           f"{len(bench.plan)} rounds", bench.left())
    try:
        return bench.run()
    except KeyboardInterrupt:
        print("bench: interrupted; the same command goes on from here",
              flush=True)
        return 130


if __name__ == "__main__":
    sys.exit(main())
