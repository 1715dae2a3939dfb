#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Put what was counted (by the emulator's plugin insncount) beside what it was
counted for (as the test tool says): instructions for each request."""

import argparse
import json
import sys


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--counts", required=True)
    parser.add_argument("--json", required=True)
    args = parser.parse_args()

    with open(args.rows) as file:
        rows = json.load(file)["rows"]
    with open(args.counts) as file:
        lines = file.read().splitlines()
    try:
        result = combine(rows, lines)
    except ValueError as error:
        sys.exit(f"instructions: {error}")
    with open(args.json, "w") as file:
        json.dump({"rows": result}, file, indent=1)
        file.write("\n")
    print("Instructions executed for each request (kernel + user space):")
    for row in result:
        print(f"  {row['workload']:18} {row['kernel']:9.1f} + "
              f"{row['user']:7.1f}")


if __name__ == "__main__":
    main()
