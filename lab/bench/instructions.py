#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Put what was counted (by the emulator's plugin insncount) beside what it was
counted for (as the test tool says): instructions for each request. What guests
measured while time went by instructions, a nanosecond each, is the same for them."""

import argparse
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import metrics  # noqa: E402
import plan  # noqa: E402

# What leaving a guest costs is the same in all of them
GUESTS = {"none": [f"exit:{who}" for who in plan.EXITS]}
DMA = [f"dma:{plan.MAIN_DMA[0]}:{plan.MAIN_DMA[1]}:1"]
GUESTS.update({mode: DMA for mode in ("reference", "qemu", "accel", "vhost", "table")})


def combine(rows, lines):
    """The plugin's first line is of what came before the first row."""
    counts = [[int(word) for word in line.split()] for line in lines][1:]
    if len(counts) != len(rows):
        raise ValueError(f"{len(rows)} rows, but {len(counts)} counts")
    result = []
    for row, (kernel, user, intervals) in zip(rows, counts):
        requests = row["requests"]
        if not intervals or not kernel:
            raise ValueError(f"nothing was counted for {row['workload']}")
        result.append({**row, "batches": intervals,
                       "kernel": kernel / requests, "user": user / requests})
    return result


def guests(lines):
    """Rows of {mode, workload, instructions}, of what a round has written."""
    result = []
    for line in lines:
        record = json.loads(line)
        if record.get("event") == "failed":
            raise ValueError(f"{record['mode']} failed, see {record['logs']}")
        # A sample is no event
        if "event" in record:
            continue
        try:
            for workload, unit, value in metrics.rows(record):
                if unit in (plan.EXIT, plan.PAIR):
                    result.append({"mode": record["mode"], "workload": workload,
                                   "instructions": value * 1000})
        except metrics.BadSample as error:
            raise ValueError(f"{record['mode']}: {error}") from None
    if {row["mode"] for row in result} != set(GUESTS):
        raise ValueError("not all guests were measured")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", action="store_true",
                        help="print what guests are to measure, and end")
    parser.add_argument("--rows")
    parser.add_argument("--counts")
    parser.add_argument("--guests", help="what they have measured")
    parser.add_argument("--json")
    args = parser.parse_args()

    if args.plan:
        for mode, items in GUESTS.items():
            print(mode, *items)
        return
    if not (args.rows and args.counts and args.json):
        parser.error("--rows, --counts and --json are needed")
    in_guests = []
    with open(args.rows) as file:
        rows = json.load(file)["rows"]
    with open(args.counts) as file:
        lines = file.read().splitlines()
    try:
        result = combine(rows, lines)
        if args.guests:
            with open(args.guests) as file:
                in_guests = guests(file)
    except ValueError as error:
        sys.exit(f"instructions: {error}")
    with open(args.json, "w") as file:
        json.dump({"rows": result, "guests": in_guests}, file, indent=1)
        file.write("\n")
    print("Instructions executed for each request (kernel + user space):")
    for row in result:
        print(f"  {row['workload']:18} {row['kernel']:9.1f} + "
              f"{row['user']:7.1f}")
    if in_guests:
        print("In guests, of the whole machine:")
    for row in in_guests:
        print(f"  {row['mode']:10} {row['workload']:22} {row['instructions']:9.0f}")


if __name__ == "__main__":
    main()
