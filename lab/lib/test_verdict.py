#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What must fail a test run does fail it, and nothing else does."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import verdict  # noqa: E402

GOOD = """TAP version 13
1..2
#  RUN           a.one ...
#            OK  a.one
ok 1 a.one
ok 2 a.two
# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0
"""
CONSOLE = """[    1.000000] vhost-iommu-test: a.one
[    2.000000] vhost-iommu-test: a.two
[    3.000000] vhost-iommu-test: end of tests
"""
KUNIT = """KTAP version 1
1..1
    KTAP version 1
    # Subtest: map
    1..2
        KTAP version 1
        # Subtest: insert
        ok 1 small
        ok 2 large
    # insert: pass:2 fail:0 skip:0 total:2
    ok 1 insert
    ok 2 remove
# map: pass:3 fail:0 skip:0 total:3
ok 1 map
"""


class Verdict(unittest.TestCase):
    def judge(self, output=GOOD, console=CONSOLE, ended=None, status=0,
              level="hardware", kunit=None, skips="", known=""):
        with tempfile.TemporaryDirectory() as path:
            def put(name, text):
                with open(os.path.join(path, name), "w") as file:
                    file.write(text)

            put("output", output)
            put("console", console)
            put("skips", skips)
            put("known", known)
            put("machine.json", json.dumps({"ended": ended, "status": status}))
            if kunit is not None:
                put("kunit", kunit)
            argv, summary = sys.argv, os.path.join(path, "summary")
            sys.argv = ["verdict", "--json", summary, "--skips",
                        os.path.join(path, "skips"), "--known",
                        os.path.join(path, "known"), f"{level}:{path}"]
            try:
                with contextlib.redirect_stdout(io.StringIO()) as said:
                    code = verdict.main()
            finally:
                sys.argv = argv
            with open(summary) as file:
                result = json.load(file)
        last = said.getvalue().splitlines()[-1]
        self.assertEqual(last, "{passed} passed, {failed} failed, "
                         "{skipped} skipped".format(**result))
        self.assertEqual(code, 1 if result["failed"] or not result["passed"] else 0)
        return result

    def failed(self, result):
        return [failure["name"] for failure in result["failures"]]

    def test_good(self):
        result = self.judge()
        self.assertEqual((result["passed"], result["failed"]), (2, 0))

    def test_failed_test(self):
        result = self.judge(GOOD.replace("ok 2", "not ok 2"), status=1)
        self.assertEqual(self.failed(result), ["a.two"])

    def test_says_why(self):
        said = ("# a.c:12:two:Expected 1 (1) == x (2)\n# a.c:14:two:no more\n"
                "# two: Test failed\n#          FAIL  a.two\nnot ok 2")
        for more in ("", "# looked at 3\n"):
            result = self.judge(GOOD.replace("ok 2", more + said), status=1)
            self.assertEqual(result["failures"][0]["why"],
                             "a.c:12:two:Expected 1 (1) == x (2)")
        result = self.judge(GOOD.replace("ok 2", "# one\n# two\n#    FAIL  a.two\nnot ok 2"),
                            status=1)
        self.assertEqual(result["failures"][0]["why"], "two")
        result = self.judge(GOOD.replace("ok 1", "# one\nok 1")
                            .replace("ok 2", "not ok 2"), status=1)
        self.assertEqual(result["failures"][0]["why"], "")

    def test_missing_test(self):
        result = self.judge(GOOD.replace("ok 2 a.two\n", ""))
        self.assertEqual(self.failed(result), ["1 of 2 tests"])

    def test_missing_test_of_first_of_two_plans(self):
        result = self.judge(GOOD.replace("ok 2 a.two\n", "") + GOOD)
        self.assertEqual(self.failed(result), ["1 of 2 tests"])

    def test_status(self):
        self.assertEqual(self.failed(self.judge(status=1)), ["(run)"])

    def test_nothing_ran(self):
        self.assertEqual(self.failed(self.judge("")), ["(run)"])

    def test_bail_out(self):
        result = self.judge("TAP version 13\nBail out! no device\n")
        self.assertEqual(self.failed(result), ["bail out"])

    def test_unexpected_skip(self):
        output = GOOD.replace("ok 2 a.two", "ok 2 a.two # SKIP no igb")
        self.assertEqual(self.failed(self.judge(output)), ["a.two"])
        self.assertEqual(
            self.failed(self.judge(output, skips="device a.two # x\n")), ["a.two"])
        result = self.judge(output, skips="hardware a.t* # why\n")
        self.assertEqual((result["passed"], result["failed"], result["skipped"]),
                         (1, 0, 1))

    def test_splats(self):
        for text in (
                "WARNING: drivers/vhost/iommu.c:12 at vhost_iommu_x+0x1/0x2",
                "WARNING: possible circular locking dependency detected",
                "WARNING: suspicious RCU usage",
                "BUG: KASAN: slab-use-after-free in f+0x1/0x2",
                "BUG: sleeping function called from invalid context at x.c:1",
                "BUG: unable to handle page fault for address: 0",
                "Unable to handle kernel NULL pointer dereference at virtual",
                "Internal error: Oops: 0000000096000004 [#1]  SMP",
                "INFO: task vhost-1:12 blocked for more than 60 seconds.",
                "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!",
                "rcu: INFO: rcu_preempt self-detected stall on CPU",
                "UBSAN: array-index-out-of-bounds in x.c:1:2",
                "refcount_t: underflow; use-after-free.",
                "list_del corruption. prev->next should be 0",
                "ODEBUG: free active (active state 0) object: 0",
                "BUG: workqueue lockup - pool cpus=0",
                "kmemleak: unreferenced object 0x61 (size 64):",
                "Kernel panic - not syncing: Oops: Fatal exception"):
            for stamp in ("1.500000]", "1.500000][  T120]"):
                console = CONSOLE.replace(
                    "[    2.0", f"[    {stamp} {text}\n[    2.0", 1)
                with self.subTest(text=text, stamp=stamp):
                    result = self.judge(console=console)
                    self.assertEqual(self.failed(result), ["a.one"])
                    self.assertEqual(result["passed"], 1)

    def test_known_report(self):
        known = "# why\npossible circular: lock_a lock_b\n"

        def report(*calls):
            lines = ["WARNING: possible circular locking", "-> #0:"]
            lines += [f"       {call}+0x1/0x2" for call in calls]
            return CONSOLE.replace("[    2.000000]", "".join(
                f"[    1.10{i:04}] {line}\n" for i, line in enumerate(lines)) +
                "[    2.000000]")

        def failed(*calls, **more):
            return self.judge(console=report(*calls), **more)["failed"]

        self.assertEqual(failed("lock_a", "lock_b"), 1)
        self.assertEqual(failed("lock_a", "lock_b", known=known), 0)
        self.assertEqual(failed("lock_a", "lock_bc", known=known), 1)
        self.assertEqual(failed("lock_a", known=known), 1)
        self.assertEqual(failed("lock_a", "lock_b", "vhost_iommu_map",
                                known=known), 1)
        self.assertEqual(failed("lock_a", "x [virtio_iommu_table]", "lock_b",
                                known=known), 1)
        # Of another kind
        console = CONSOLE.replace("[    2.000000]", "[    1.100000] BUG: lock_a\n"
                                  "[    1.200000] lock_b\n[    2.000000]")
        self.assertEqual(self.judge(console=console, known=known)["failed"], 1)

    def test_splat_outside_of_tests(self):
        console = CONSOLE + "[    4.000000] WARNING: x.c:1 at y\n"
        self.assertEqual(self.failed(self.judge(console=console)),
                         ["(outside of tests)"])

    def test_splat_of_the_boot(self):
        console = "[    0.500000] WARNING: x.c:1 at y\n" + CONSOLE
        self.assertEqual(self.failed(self.judge(console=console)), [])

    def test_harmless_messages(self):
        console = CONSOLE.replace(
            "[    2.0", "[    1.5] FAULT_INJECTION: forcing a failure.\n"
            "[    1.5] igb 0000:00:03.0: removed PHC on eth0\n[    2.0", 1)
        self.assertEqual(self.failed(self.judge(console=console)), [])

    def test_hang(self):
        output = GOOD.replace("ok 2 a.two\n", "")
        console = CONSOLE.rsplit("[", 1)[0]
        result = self.judge(output, console, ended="no output for 120 s",
                            status=None)
        self.assertEqual(self.failed(result), ["1 of 2 tests", "a.two"])

    def test_kunit(self):
        result = self.judge(level="device", kunit=KUNIT)
        self.assertEqual(result["levels"]["unit"],
                         {"passed": 3, "failed": 0, "skipped": 0})
        self.assertEqual(result["passed"], 5)

    def test_kunit_failure(self):
        kunit = KUNIT.replace("ok 2 large", "not ok 2 large").replace(
            "ok 1 insert", "not ok 1 insert").replace("ok 1 map", "not ok 1 map")
        result = self.judge(level="device", kunit=kunit)
        self.assertEqual(self.failed(result), ["insert.large"])

    def test_kunit_missing(self):
        self.assertEqual(self.failed(self.judge(level="device")), ["(run)"])
        kunit = KUNIT.replace("    ok 2 remove\n", "")
        self.assertEqual(self.failed(self.judge(level="device", kunit=kunit)),
                         ["1 of 2 tests"])

    def test_two_suites(self):
        result = self.judge(level="device", kunit=KUNIT + KUNIT)
        self.assertEqual(result["levels"]["unit"]["passed"], 6)


if __name__ == "__main__":
    unittest.main()
