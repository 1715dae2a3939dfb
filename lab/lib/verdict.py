#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Judge test runs: count results, and find what no test reports by itself.

Each RUN is LEVEL:DIRECTORY or LEVEL:FILE. A file is TAP. A directory is what
machine.py left of a run: "output" (TAP, counted at LEVEL), "kunit" (KTAP of the
kernel's unit tests, counted as "unit"), "console" (the kernel log with a mark
for each test that starts) and "machine.json".

A run fails for a failed test, a test of the plan that did not report, a kernel
splat or leak (laid to the test during which it came) that is not known to be of
the kernel itself, a panic, a hang, a skip that is not expected, or no test at all.
What a kernel says while it boots, before the first mark, is not about what is tested.

Of a failed test the summary has the first expectation that was not met, or else the
last thing that it said.
"""

import argparse
import collections
import fnmatch
import json
import os
import re
import sys

LEVELS = ("static", "unit", "device", "hardware", "x86", "system")
RESULT = re.compile(r"^(not )?ok (\d+)(?: -)?(?: (.*?))?"
                    r"(?:\s*# (SKIP|TODO|XFAIL)\b\s*(.*))?$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)(?: # SKIP ?(.*))?")
BAIL = re.compile(r"^Bail out!(.*)")
# What is worth more than the last line that a test printed before it failed
SAYS_WHY = re.compile(r"\S+\.[ch]:\d+:|.*(EXPECTATION|ASSERTION) FAILED")
MARK = re.compile(r"(?:lab: RUN|vhost-iommu-test:) (.*?)\s*$")
NO_TEST = "end of tests"
KERNEL_LINE = re.compile(r"^\[\s*\d+\.\d+\](?:\[[^]]*\])? ?")
SPLAT = re.compile("|".join((
    r"^WARNING: ", r"^BUG: ", r"^BUG ", r"\bkernel BUG at", r"^Oops",
    r"^Internal error:", r"^Unable to handle kernel", r"^Unexpected kernel",
    r"general protection", r"^KASAN: ", r"^UBSAN: ", r"^KFENCE",
    r"^INFO: task .* blocked for more", r"^INFO: lockdep",
    r"^INFO: trying to register", r"^INFO: possible", r"^INFO: suspicious",
    r"rcu: INFO: .*stall", r"^INFO: rcu", r"soft lockup", r"hard LOCKUP",
    r"possible (circular|recursive|irq) ", r"possible .*deadlock",
    r"inconsistent lock state", r"suspicious RCU usage", r"held lock freed",
    r"still has locks held", r"bad unlock balance",
    r"sleeping function called from invalid context",
    r"scheduling while atomic", r"refcount_t: ", r"list_(add|del) corruption",
    r"^ODEBUG: ", r"workqueue lockup", r"hogged CPU for",
    r"Bad page (state|map)", r"Kernel panic - not syncing",
    r"kmemleak: unreferenced object", r"^Bad mode in", r"double fault",
)))
# A splat's own lines may match again; they belong to the first for this long
SPLAT_SECONDS = 1.0

Test = collections.namedtuple("Test", "level name outcome why")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


class TapReader:
    """Counts the leaves of (K)TAP: a result that sums up results that are
    indented deeper is none of its own."""

    def __init__(self, level):
        self.level = level
        self.tests = []
        self.names = {}  # of subtests, by the depth of their results
        self.counts = [0]
        self.plans = [None]
        self.said = ""  # why the test that is running fails, as far as it says so

    def _depth(self, line):
        return (len(line) - len(line.lstrip(" "))) // 4

    def _close(self, depth):
        """Forget the deeper levels; return how many results they had."""
        seen = 0
        while len(self.counts) > depth + 1:
            self._planned(len(self.counts) - 1)
            seen += self.counts.pop()
            self.plans.pop()
        return seen

    def _planned(self, depth):
        """See that what was planned at this depth has reported."""
        plan, seen = self.plans[depth], self.counts[depth]
        if plan is not None and seen < plan:
            self._fail(f"{plan - seen} of {plan} tests", "did not report")

    def _fail(self, name, why):
        self.tests.append(Test(self.level, name, "failed", why))

    def feed(self, lines):
        for raw in lines:
            line = raw.rstrip()
            depth = self._depth(line)
            text = line.strip()
            if text.startswith("# Subtest: "):
                self.names[depth] = text[len("# Subtest: "):]
                continue
            plan = PLAN.match(text)
            match = RESULT.match(text)
            bail = BAIL.match(text)
            if not (plan or match or bail):
                # What the harness says of each test is indented further
                if re.match(r"# \S", text) and not SAYS_WHY.match(self.said):
                    self.said = text[2:]
                continue
            while len(self.counts) < depth + 1:
                self.counts.append(0)
                self.plans.append(None)
            if bail:
                self._fail("bail out", bail[1].strip() or "no reason given")
            elif plan:
                self._close(depth)
                self._planned(depth)
                self.plans[depth] = int(plan[1])
                self.counts[depth] = 0
                if plan[2] is not None:
                    self.tests.append(Test(self.level, "all", "skipped", plan[2]))
            else:
                self.counts[depth] += 1
                if self._close(depth):
                    continue
                name = match[3] or f"test {match[2]}"
                if depth and depth in self.names:
                    name = f"{self.names[depth]}.{name}"
                directive = (match[4] or "").upper()
                if directive == "SKIP":
                    outcome = "skipped"
                elif match[1] and directive not in ("XFAIL", "TODO"):
                    outcome = "failed"
                else:
                    outcome = "passed"
                why = match[5] or (self.said if outcome == "failed" else "")
                self.tests.append(Test(self.level, name, outcome, why))
                self.said = ""

    def finish(self):
        self._close(0)
        self._planned(0)
        return self.tests


def splats(lines):
    """Yield (running test or None, first line, line number)."""
    running = None
    last = None
    booted = False
    for number, line in enumerate(lines, 1):
        text = KERNEL_LINE.sub("", line, count=1)
        if text == line:
            continue
        mark = MARK.match(text)
        if mark:
            booted = True
            running = None if mark[1] == NO_TEST else mark[1]
            last = None
            continue
        if not booted or not SPLAT.search(text):
            continue
        stamp = float(re.match(r"^\[\s*(\d+\.\d+)", line)[1])
        if last is not None and stamp - last < SPLAT_SECONDS:
            continue
        last = stamp
        yield running, text.strip(), number


# Calls of our own modules: a report that has one is about what is tested
OURS = re.compile(r"\[(vhost_iommu|virtio_iommu_table)[a-z_]*\]|\bvhost_iommu_|\bvtab_")


def is_known(lines, number, known):
    """Whether the splat at this line is one of KNOWN, see known_reports()."""
    first = lines[number - 1]
    begin = float(re.match(r"^\[\s*(\d+\.\d+)", first)[1])
    text = []
    for line in lines[number - 1:]:
        stamp = re.match(r"^\[\s*(\d+\.\d+)", line)
        if MARK.search(line) or (stamp and float(stamp[1]) - begin >= SPLAT_SECONDS):
            break
        text.append(line)
    report = "\n".join(text)
    return not OURS.search(report) and any(
        head in first and all(re.search(rf"\b{word}\b", report) for word in words)
        for head, words in known)


def known_reports(path):
    """Lines of WHAT THE FIRST LINE SAYS: FUNCTION..., with # comments."""
    known = []
    for line in read(path):
        head, _, words = line.split("#")[0].partition(":")
        if words.split():
            known.append((head.strip(), words.split()))
    return known


def blame(tests, level, test, why):
    """Make a passed test a failed one, or add a failure if it is unknown."""
    for index, entry in enumerate(tests):
        if entry.name == test:
            if entry.outcome != "failed":
                tests[index] = entry._replace(outcome="failed", why=why)
            return
    tests.append(Test(level, test or "(outside of tests)", "failed", why))


def judge_machine(level, path, known):
    tests = []
    console = os.path.join(path, "console")
    try:
        with open(os.path.join(path, "machine.json")) as file:
            machine = json.load(file)
    except FileNotFoundError:
        return [Test(level, "(run)", "failed", f"nothing was run: {path}")]

    for name, at in (("kunit", "unit"), ("output", level)):
        file = os.path.join(path, name)
        if not os.path.exists(file):
            continue
        reader = TapReader(at)
        # The results of several suites follow one another, each with a plan
        part = []
        for line in read(file):
            if line.startswith("KTAP version") and name == "kunit" and part:
                reader.feed(part)
                tests += reader.finish()
                reader, part = TapReader(at), []
            part.append(line)
        reader.feed(part)
        tests += reader.finish()

    running = None
    if os.path.exists(console):
        lines = read(console)
        for test, text, number in splats(lines):
            if is_known(lines, number, known):
                print(f"known report of the kernel: {text} ({console}:{number})")
            else:
                blame(tests, level, test, f"kernel: {text} ({console}:{number})")
        for line in lines:
            mark = MARK.search(line)
            if mark:
                running = None if mark[1] == NO_TEST else mark[1]
    if machine["ended"]:
        blame(tests, level, running, f"{machine['ended']} ({console})")
    elif machine["status"] not in (0, None) and \
            not any(test.outcome == "failed" for test in tests):
        tests.append(Test(level, "(run)", "failed",
                          f"exit status {machine['status']} ({path}/output)"))
    # The kernel's unit tests run where the mock devices are
    for expected in (level, "unit") if level == "device" else (level,):
        if not any(test.level == expected for test in tests):
            tests.append(Test(expected, "(run)", "failed",
                              f"no test ran ({path})"))
    return tests


def judge_file(level, path):
    reader = TapReader(level)
    reader.feed(read(path))
    tests = reader.finish()
    return tests or [Test(level, "(run)", "failed", f"no test in {path}")]


def expected_skips(path):
    """Lines of LEVEL NAME-PATTERN, with # comments that say why."""
    skips = []
    for line in read(path):
        words = line.split("#")[0].split()
        if words:
            skips.append((words[0], words[1]))
    return skips


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skips", help="list of expected skips")
    parser.add_argument("--known", help="list of known reports of the kernel")
    parser.add_argument("--json", help="where to write the summary")
    parser.add_argument("run", nargs="+")
    args = parser.parse_args()

    skips = expected_skips(args.skips) if args.skips else []
    known = known_reports(args.known) if args.known else []
    tests = []
    for run in args.run:
        level, _, path = run.partition(":")
        if level not in LEVELS or not path:
            parser.error(f"not LEVEL:PATH: {run}")
        if os.path.isdir(path):
            tests += judge_machine(level, path, known)
        elif os.path.exists(path):
            tests += judge_file(level, path)
        else:
            tests.append(Test(level, "(run)", "failed", f"no results: {path}"))

    for index, test in enumerate(tests):
        if test.outcome == "skipped" and not any(
                test.level == level and fnmatch.fnmatchcase(test.name, name)
                for level, name in skips):
            why = f"skipped, which is not expected: {test.why}"
            tests[index] = test._replace(outcome="failed", why=why)

    def count(chosen):
        outcomes = collections.Counter(test.outcome for test in chosen)
        return {key: outcomes[key] for key in ("passed", "failed", "skipped")}

    total = count(tests)
    summary = dict(total)
    summary["levels"] = {
        level: count([test for test in tests if test.level == level])
        for level in LEVELS if any(test.level == level for test in tests)}
    summary["failures"] = [
        {"level": test.level, "name": test.name, "why": test.why}
        for test in tests if test.outcome == "failed"]
    if args.json:
        os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
        with open(args.json, "w") as file:
            json.dump(summary, file, indent=2)
            file.write("\n")

    for failure in summary["failures"]:
        print("FAILED {level}: {name}{sep}{why}".format(
            sep=": " if failure["why"] else "", **failure))
    for level, counts in summary["levels"].items():
        print("{:9} {passed} passed, {failed} failed, {skipped} skipped".format(
            level, **counts))
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**total))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
