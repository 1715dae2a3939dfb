#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's arithmetic, and what it makes of samples and failures."""

import json
import os
import random
import signal
import sys
import tempfile
import unittest
import unittest.mock

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]

import bench  # noqa: E402
import figures  # noqa: E402
import host  # noqa: E402
import instructions  # noqa: E402
import metrics  # noqa: E402
import plan  # noqa: E402
import report  # noqa: E402
import stats  # noqa: E402
from store import Store  # noqa: E402


def sample(mode="vhost", item="net:TCP_STREAM:2", output="100\n", status=0,
           boot=0, busy=2.0, child=0.5, **more):
    return {"event": "sample", "mode": mode, "item": item, "status": status,
            "output": output, "round": boot, "attempt": 0, "begin": 1.0,
            "seconds": 2.1, "busy": busy, "child": child,
            "tasks": 0.4, "threads": {"vcpu": 0.8, "worker": 0.2, "vmm": 0.1},
            "kvm": {"exits": 300, "mmio_exit_user": 20,
                    "mmio_exit_kernel": 40},
            "vhost": {"requests-map": 60, "requests-unmap": 40, "wakeups": 10,
                      "poll-hits": 5}, **more}


def end(mode="vhost", boot=0, attempt=0, event="end", **more):
    return {"event": event, "mode": mode, "round": boot, "attempt": attempt,
            **more}


class Stats(unittest.TestCase):
    def test_quantiles(self):
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 2, 3]), 2.5)
        self.assertEqual(stats.quantile([0, 10], 0.1), 1)
        self.assertEqual(stats.median([7]), 7)

    def test_interval_covers_the_median(self):
        """Of many experiments with a known median, about 95 % cover it, though
        boots differ more than their samples do."""
        rng = random.Random(5)
        hits = 0
        resamples, stats.RESAMPLES = stats.RESAMPLES, 300
        for _ in range(100):
            samples = {}
            for boot in range(12):
                level = 100 + rng.gauss(0, 5)
                samples[boot] = [level + rng.gauss(0, 1) for _ in range(3)]
            low, high = stats.interval(samples)
            hits += low <= 100 <= high
        stats.RESAMPLES = resamples
        self.assertGreaterEqual(hits, 85)

    def test_boots_are_what_is_resampled(self):
        """Many samples of few boots don't make it surer."""
        few = {0: [10] * 100, 1: [20] * 100, 2: [30] * 100}
        low, high = stats.interval(few)
        self.assertEqual((low, high), (10, 30))

    def test_ratio(self):
        """Boots of a slow moment are slow for both."""
        above = {b: [2.0 * level] * 3 for b, level in enumerate((1, 5, 9))}
        below = {b: [level] * 3 for b, level in enumerate((1, 5, 9))}
        self.assertEqual(stats.ratio(above, below), (2, 2, 2))
        apart = {b + 10: v for b, v in below.items()}
        middle, low, high = stats.ratio(above, apart)
        self.assertTrue(low < middle < high)

    def test_same_seed_same_interval(self):
        samples = {b: [b, b + 1] for b in range(9)}
        self.assertEqual(stats.interval(samples), stats.interval(samples))


class Metrics(unittest.TestCase):
    def test_stream(self):
        got = dict(metrics.figures(sample()))
        self.assertEqual(got["Mbit/s"], 100)
        # 0.2 Gbit
        self.assertAlmostEqual(got["CPU s/Gbit"], 7.5)
        self.assertAlmostEqual(got["CPU s/Gbit (vcpu)"], 4)
        self.assertAlmostEqual(got["CPU s/Gbit (rest of L1)"], 2)
        self.assertAlmostEqual(got["exits to user space/Gbit"], 100)
        self.assertAlmostEqual(got["requests/Gbit"], 500)
        self.assertAlmostEqual(got["wakeups/Gbit"], 50)

    def test_transactions(self):
        got = dict(metrics.figures(sample(item="net:UDP_RR:2",
                                          output="500")))
        self.assertEqual(got["transactions/s"], 500)
        self.assertAlmostEqual(got["CPU us/transaction"], 1500)
        self.assertAlmostEqual(got["kicks/transaction"], 0.04)

    def test_dma(self):
        text = "average map latency(us):11.0 standard deviation:1.0\n" \
            "average unmap latency(us):389.0 standard deviation:20.0\n"
        one = sample(item="dma:16:1:1", output=text)
        got = dict(metrics.figures(one))
        self.assertEqual(metrics.workload(one["item"]), "dma 64 KiB, 1 thread")
        self.assertEqual(got["us/map+unmap"], 400)
        self.assertAlmostEqual(got["CPU us/map+unmap"], 600)
        self.assertEqual(metrics.workload("dma:1:1:1"), plan.DMA_4K)

    def test_exit(self):
        one = sample(item="exit:user", output="41.50 us/exit\n")
        self.assertEqual(list(metrics.rows(one)),
                         [("exit to the VMM", "us/exit", 41.5)])
        one["item"] = "exit:kernel"
        self.assertEqual(list(metrics.rows(one))[0][0], "exit to the kernel")
        for bad in ({"status": 1}, {"output": "exit-cost: /dev/mem"}):
            with self.assertRaises(metrics.BadSample):
                list(metrics.rows({**one, **bad}))

    def test_static(self):
        one = sample(item="static:4:runs", output="map 1500.5 us, unmap 20.0 us\n"
                     "map 1000.0 us, unmap 10.0 us\n")
        self.assertEqual(list(metrics.rows(one)), [
            ("static 4 GiB in runs, map", "ms", 1.5005),
            ("static 4 GiB in runs, unmap", "ms", 0.02),
            ("static 4 GiB in runs, both", "ms", 1.5205),
            ("static 4 GiB in runs, map", "ms", 1.0),
            ("static 4 GiB in runs, unmap", "ms", 0.01),
            ("static 4 GiB in runs, both", "ms", 1.01)])
        for bad in ({"status": 1}, {"output": "static-map: no"}):
            with self.assertRaises(metrics.BadSample):
                list(metrics.rows({**one, **bad}))

    def test_mix(self):
        one = sample(item="mix:2", output="70.5\n110\n139.2\n")
        self.assertEqual(list(metrics.rows(one)), [
            ("TCP_STREAM among others", "Mbit/s", 70.5),
            ("TCP_MAERTS among others", "Mbit/s", 110),
            ("UDP_RR among others", "transactions/s", 139.2)])
        for bad in ({"status": 1}, {"output": "70 110"}, {"output": "a b c"}):
            with self.assertRaises(metrics.BadSample):
                list(metrics.rows({**one, **bad}))

    def test_rows(self):
        got = list(metrics.rows(sample()))
        self.assertEqual(got[0], ("TCP_STREAM", "Mbit/s", 100))
        self.assertEqual({row[0] for row in got}, {"TCP_STREAM"})

    def test_netperf_says_more(self):
        got = dict(metrics.figures(sample(output="catcher: timer popped with "
                                          "times_up != 0\n  100.00 \n")))
        self.assertEqual(got["Mbit/s"], 100)

    def test_what_is_no_figure(self):
        for bad in (sample(output=""), sample(status=1), sample(output="0"),
                    sample(item="dma:1:1:1", output="perhaps")):
            with self.assertRaises(metrics.BadSample):
                list(metrics.figures(bad))

    def test_without_a_guest(self):
        one = sample()
        for key in ("threads", "kvm", "vhost"):
            del one[key]
        self.assertEqual(set(dict(metrics.figures(one))),
                         {"Mbit/s", "CPU s/Gbit"})


class Plan(unittest.TestCase):
    def test_order(self):
        one = plan.rounds(list(plan.MODES), plan.FULL, 1)
        self.assertEqual(one, plan.rounds(list(plan.MODES), plan.FULL, 1))
        self.assertNotEqual(one, plan.rounds(list(plan.MODES), plan.FULL, 2))
        self.assertEqual(len(one), plan.FULL["rounds"])
        self.assertNotEqual([m for m, _ in one[0]], [m for m, _ in one[1]])
        for number in one:
            self.assertEqual({m for m, _ in number}, set(plan.MODES))
            for mode, items in number:
                kinds = [i.split(":")[0] for i in items]
                self.assertEqual(kinds, sorted(
                    kinds, key=["exit", "disk", "net", "mix", "dma", "static",
                                "ring"].index))

    def test_enough_samples(self):
        samples = sum(i == "net:TCP_STREAM:1"
                      for number in plan.rounds(["table"], plan.FULL, 1)
                      for _, items in number for i in items)
        self.assertGreaterEqual(samples, 30)

    def test_a_static_mapping_needs_an_iommu_for_user_space(self):
        for amount in (plan.FULL, plan.QUICK):
            for mode, items in plan.rounds(list(plan.MODES), amount, 1)[0]:
                for item in ("static:4:runs", "static:4:pages"):
                    self.assertEqual(items.count(item),
                                     0 if mode in ("none", "none-patched",
                                                   "accel", "qemu-patched",
                                                   "ring") or "cpus" in mode
                                     or mode in plan.OTHER_MODES
                                     else amount["static"])

    def test_exits_are_guests(self):
        for mode, items in plan.rounds(list(plan.MODES), plan.QUICK, 1)[0]:
            guest = mode not in ("reference", "ring", *plan.CONTROLS)
            self.assertEqual(items[:2] == ["exit:kernel", "exit:user"],
                             guest and "cpus" not in mode and
                             mode not in plan.OTHER_MODES)

    def test_cards_that_vhost_serves(self):
        items = dict(plan.rounds(list(plan.MODES), plan.QUICK, 1)[0])
        self.assertEqual(sorted(items["net-poll"]),
                         sorted(f"net:{test}:1" for test in plan.NET))
        self.assertEqual(plan.beside("qemu", "net-poll"), "net-qemu")
        self.assertEqual(plan.beside("accel", "net-vhost"), "net-smmu")
        self.assertEqual(plan.beside("qemu", "poll-2cpus"), "qemu-2cpus")

    def test_rate_of_a_disk(self):
        line = "99 10970974 {} 36961688 40 111 583 28 100 10970974\n"
        one = {"mode": "nvme-poll", "item": "disk:write:2:1", "status": 0,
               "output": line.format(9000) + line.format(1000), "busy": 1.0,
               "child": 0.0}
        rows = list(metrics.rows(one))
        self.assertIn(("disk write, 2 processes", plan.IOPS, 10000.0), rows)
        for bad in ("", line.format(9000), "ioping: no such device\n" * 2):
            with self.assertRaises(metrics.BadSample):
                list(metrics.rows({**one, "output": bad}))

    def test_disks(self):
        items = dict(plan.rounds(list(plan.MODES), plan.QUICK, 1)[0])
        self.assertEqual(sorted(items["nvme-qemu"]),
                         ["disk:read:1:1", "disk:read:4:1", "disk:write:4:1"])
        self.assertEqual(plan.beside("qemu", "nvme-poll"), "nvme-qemu")

    def test_several_processors(self):
        self.assertEqual(plan.split("tpoll-2cpus"), ("tpoll", 2))
        self.assertEqual(plan.split("none-patched"), ("none-patched", 1))
        self.assertEqual(plan.with_cpus("qemu", 1), "qemu")
        items = dict(plan.rounds(list(plan.MODES), plan.QUICK, 1)[0])
        self.assertIn("dma:1:2:1", items["vhost-2cpus"])
        self.assertIn("net:TCP_MAERTS:1", items["accel-2cpus"])
        self.assertIn("dma:1:4:1", items["table-4cpus"])
        self.assertIn("mq-2cpus", items)
        self.assertNotIn("tmq", items)
        self.assertEqual([i for i in items["none-4cpus"]
                          if not i.startswith("dma")], ["mix:2"])
        for mode, todo in items.items():
            if mode != "ring":
                self.assertGreater(plan.seconds(mode, plan.QUICK), len(todo))

    def test_time_grows_with_what_is_done(self):
        for what in ("net", "dma", "static"):
            more = {**plan.FULL, what: plan.FULL[what] + 1}
            self.assertGreater(plan.seconds("vhost", more),
                               plan.seconds("vhost", plan.FULL))
        self.assertEqual(plan.seconds("none", more),
                         plan.seconds("none", plan.FULL))

    def test_targets(self):
        least = plan.Target("", "w", "u", "a", "b", least=2)
        most = plan.Target("", "w", "u", "a", "b", most=2)
        self.assertTrue(least.met(2, 3))
        self.assertFalse(least.met(1.9, 3))
        self.assertTrue(most.met(1, 2))
        self.assertFalse(most.met(1, 2.1))
        for target in plan.TARGETS:
            if target.unit == plan.RATE:
                self.assertIn(target.above, plan.QUEUES)
                self.assertIn(target.below, plan.QUEUES)
                continue
            self.assertEqual(plan.split(target.above)[1],
                             1 if target.below == "reference"
                             else plan.split(target.below)[1])
            self.assertIn(target.above, plan.MODES)
            self.assertIn(target.below, plan.MODES)


class Storing(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "samples.jsonl")

    def test_going_on(self):
        store = Store(self.path)
        self.assertFalse(store.begin({"hash": "a"}))
        store.add(sample())
        store.add(end())
        store.add(sample(mode="none"))
        with open(self.path, "a") as file:
            file.write('{"event": "sam')
        store = Store(self.path).load()
        self.assertTrue(store.begin({"hash": "a"}))
        self.assertEqual(store.done(), {(0, "vhost")})
        self.assertEqual(len(store.complete()), 2)
        # The line that was cut off does not spoil the next one
        store.add(end(mode="none"))
        self.assertEqual(len(Store(self.path).load().records), 4)

    def test_another_configuration(self):
        store = Store(self.path)
        store.begin({"hash": "a"})
        store.add(end())
        store = Store(self.path).load()
        self.assertFalse(store.begin({"hash": "b"}))
        self.assertEqual(Store(self.path).load().records, [])

    def test_samples_of_a_failed_attempt_do_not_count(self):
        store = Store(self.path)
        store.begin({"hash": "a"})
        store.add(sample(output="1"))
        store.add(end(event="failed", logs="x"))
        store.add({**sample(output="2"), "attempt": 1})
        store.add(end(attempt=1))
        values = [r["output"] for r in store.complete()
                  if r["event"] == "sample"]
        self.assertEqual(values, ["2"])
        self.assertEqual(store.failures(), {(0, "vhost"): 1})

    def test_samples_of_an_interrupted_boot_do_not_count(self):
        store = Store(self.path)
        store.begin({"hash": "a"})
        for output in ("1", "2"):
            store.add(end(event="begin", uptime=1))
            store.add(sample(output=output))
        self.assertEqual(store.complete(), [])
        self.assertEqual([r.get("output") for r in store.under_way(0, "vhost")],
                         [None, "2"])
        store.add(end())
        self.assertEqual(store.under_way(0, "vhost"), [])
        values = [r["output"] for r in store.complete()
                  if r["event"] == "sample"]
        self.assertEqual(values, ["2"])

    def test_disturbed(self):
        quiet, loud = (1.5, 0.1), (1.2, 0.8)
        self.assertFalse(host.disturbed([]))
        self.assertFalse(host.disturbed([quiet] * 3 + [loud]))
        self.assertTrue(host.disturbed([quiet] * 2 + [loud]))
        store = Store(self.path)
        store.begin({"hash": "a"})
        store.add(sample(output="1"))
        store.add(end(event="disturbed"))
        self.assertEqual(store.done(), set())
        self.assertEqual(store.disturbances(), {(0, "vhost"): 1})
        store.add({**sample(output="2"), "attempt": 1})
        store.add(end(attempt=1))
        self.assertEqual([r["output"] for r in store.complete()
                          if r["event"] == "sample"], ["2"])

    def test_digest(self):
        path = os.path.join(self.directory.name, "input")
        with open(path, "w") as file:
            file.write("one")
        one = bench.digest([path], [1])
        self.assertEqual(one, bench.digest([path], [1]))
        self.assertNotEqual(one, bench.digest([path], [2]))
        with open(path, "w") as file:
            file.write("two")
        self.assertNotEqual(one, bench.digest([path], [1]))


# An emulated machine of a kind: does what its argument, a shell command, says
class Running(unittest.TestCase):
    def run_in(self, path, script, rounds=1, modes="none,vhost", more=()):
        argv, sys.argv = sys.argv, [
            "bench.py", "--run", path, "--rounds", str(rounds), "--modes",
            modes, *more, "--", "bash", "-c", f"cd {path}\n{script}"]
        out, sys.stdout = sys.stdout, open(os.devnull, "w")
        try:
            rc = bench.main()
        finally:
            sys.stdout.close()
            sys.argv, sys.stdout = argv, out
        return rc, Store(os.path.join(path, "samples.jsonl")).load()

    def run_with(self, script, *arguments, **named):
        with tempfile.TemporaryDirectory() as path:
            return self.run_in(path, script, *arguments, **named)

    ROUND = """while read -r mode items; do
        echo "{\\"event\\": \\"begin\\", \\"mode\\": \\"$mode\\", \\"uptime\\": 1}"
        WHAT
        done <plan >output"""
    END = 'echo "{\\"event\\": \\"end\\", \\"mode\\": \\"$mode\\"}"'
    FAIL = 'echo "{\\"event\\": \\"failed\\", \\"mode\\": \\"$mode\\", ' \
        '\\"logs\\": \\"l\\"}"'

    def test_all_is_well(self):
        rc, store = self.run_with(self.ROUND.replace("WHAT", self.END), 2)
        self.assertEqual(rc, 0)
        self.assertEqual(len(store.done()), 4)

    def test_what_was_interrupted_goes_on(self):
        script = self.ROUND.replace("WHAT", f"""
            echo $mode >>all
            if [ $(wc -l <all) = 2 ]; then
                until grep -q '"end"' samples.jsonl; do sleep 0.05; done
                kill -INT $PPID
                sleep 5
            fi
            {self.END}""")
        # A job in the background may have inherited that it is ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with tempfile.TemporaryDirectory() as path:
            rc, store = self.run_in(path, script, 2)
            self.assertEqual(rc, 130)
            self.assertEqual(len(store.done()), 1)
            rc, store = self.run_in(path, script, 2)
            self.assertEqual(rc, 0)
            self.assertEqual(len(store.done()), 4)
            with open(os.path.join(path, "all")) as file:
                boots = len(file.read().split())
            # What was done before was not done again
            self.assertEqual(boots, 2 + 4 - 1)
            # What is complete is measured anew
            rc, store = self.run_in(path, script, 2)
            self.assertEqual((rc, len(store.done())), (0, 4))
            self.assertTrue(os.path.exists(
                os.path.join(path, "samples.previous.jsonl")))

    def test_other_amounts(self):
        script = self.ROUND.replace("WHAT", f"""case "$items" in
            *dma:1:2*) {self.FAIL} ;;
            *net:TCP_RR:7*) {self.END} ;;
            esac""")
        rc, store = self.run_with(script, more=("--set", "net_seconds=7",
                                                "--set", "dma_threads=0"))
        self.assertEqual(rc, 0)
        amount = store.config["parameters"]["amount"]
        self.assertEqual((amount["net_seconds"], amount["dma_threads"]),
                         (7, 0))

    def test_a_failure_is_tried_again(self):
        rc, store = self.run_with(self.ROUND.replace("WHAT", f"""
            if [ $mode = vhost ] && [ ! -e tried ]; then
                touch tried; {self.FAIL}
            else {self.END}; fi"""))
        self.assertEqual(rc, 0)
        self.assertEqual(len(store.done()), 2)
        self.assertEqual(store.failures(), {(0, "vhost"): 1})

    def test_what_is_disturbed_is_measured_again(self):
        """But not for ever: who can't have a machine alone gets figures, too."""
        with unittest.mock.patch.object(host, "disturbed", lambda loads: True):
            rc, store = self.run_with(self.ROUND.replace("WHAT", self.END))
        self.assertEqual(rc, 0)
        self.assertEqual(len(store.done()), 2)
        self.assertEqual(store.disturbances(), {
            (0, mode): bench.REPEATS for mode in ("none", "vhost")})

    def test_what_fails_twice_fails_the_run(self):
        rc, store = self.run_with(self.ROUND.replace("WHAT", f"""
            if [ $mode = vhost ]; then {self.FAIL}; else {self.END}; fi"""))
        self.assertEqual(rc, 1)
        self.assertEqual(store.done(), {(0, "none")})
        self.assertEqual(store.failures(), {(0, "vhost"): 2})

    def test_the_machine_dies(self):
        rc, store = self.run_with(self.ROUND.replace("WHAT", f"""
            [ $mode = vhost ] && exit; {self.END}"""))
        self.assertEqual(rc, 1)
        self.assertEqual(store.done(), {(0, "none")})
        self.assertEqual(store.failures(), {(0, "vhost"): 2})

    def test_the_machine_does_not_start(self):
        rc, store = self.run_with("exit 1")
        self.assertEqual(rc, 1)
        self.assertEqual(sum(store.failures().values()), 4)


class Reporting(unittest.TestCase):
    def records(self):
        for boot in range(4):
            for mode, rate in (("none", 100), ("table", 95), ("accel", 50),
                               ("qemu", 50)):
                for item in ("net:TCP_STREAM:2", "net:TCP_MAERTS:2"):
                    yield sample(mode=mode, item=item, boot=boot,
                                 output=str(rate + boot), host=[1.9, 0.1])
                if mode in ("table", "qemu"):
                    yield sample(mode=mode, item="static:4:runs", boot=boot,
                                 output=f"map {rate}000 us, unmap 1000 us")
                yield end(mode=mode, boot=boot)
                yield sample(mode=f"{mode}-2cpus", boot=boot,
                             output=str(2 * rate))
                yield end(mode=f"{mode}-2cpus", boot=boot)

    def test_targets(self):
        found = figures.Figures(list(self.records()))
        judged = {(t["above"], t["below"], t["what"]): t
                  for t in found.targets()}
        near = judged["table", "none", "TCP_STREAM, Mbit/s"]
        self.assertTrue(near["met"])
        self.assertGreater(near["ratio"], 0.9)
        self.assertIs(judged["table", "accel", "TCP_MAERTS, Mbit/s"]["met"],
                      False)
        self.assertIsNone(
            judged["tpoll", "none", "TCP_STREAM, Mbit/s"]["met"])
        row = found.row("none", "TCP_STREAM", "Mbit/s")
        self.assertEqual((row["n"], row["boots"]), (4, 4))
        self.assertEqual(found.load(2)["none"]["emulator"], 1.9)
        self.assertEqual(found.load(2)["none"]["saturated"], 1)
        self.assertEqual(found.load(4)["none"]["saturated"], 0)

    def test_as_many_processors(self):
        found = figures.Figures(list(self.records()))
        ratios = {(r["mode"], r["over"]): r["ratio"] for r in found.ratios()
                  if r["workload"] == "TCP_STREAM"}
        self.assertEqual(ratios["table-2cpus", "qemu-2cpus"], 1.9)
        self.assertNotIn(("table-2cpus", "qemu"), ratios)
        self.assertNotIn(("table", "qemu-2cpus"), ratios)

    def test_static(self):
        found = figures.Figures(list(self.records()))
        row = found.row("qemu", "static 4 GiB in runs, map", "ms")
        self.assertEqual((row["median"], row["n"], row["boots"]), (50, 4, 4))
        ratios = {(r["mode"], r["over"]): r["ratio"] for r in found.ratios()
                  if r["workload"] == "static 4 GiB in runs, map"}
        self.assertEqual(ratios, {("table", "qemu"): 1.9})

    def test_queues(self):
        data = {"rows": [{"mode": f"queues-{n}", "unit": "requests/s",
                          "workload": "invalidate, batch 16", "median": 100 * n,
                          "samples": [100 * n, 102 * n]} for n in (1, 2)]}
        records = [*self.records(),
                   *({"event": "ring", "mode": "ring", "round": boot,
                      "attempt": 0, "data": data} for boot in range(3))]
        found = figures.Figures(records)
        judged = {(t["above"], t["what"]): t for t in found.targets()}
        target = judged["queues-2", "invalidate, batch 16, requests/s"]
        self.assertEqual((target["ratio"], target["met"]), (2, True))
        self.assertNotIn("queues-2", found.modes())

    def test_text(self):
        with tempfile.TemporaryDirectory() as path:
            store = Store(os.path.join(path, "samples.jsonl"))
            store.begin({"hash": "a", "started": "now", "versions": {"a": "b"},
                         "machine": {"cpus": 2, "cpu": "c", "memory_mib": 1,
                                     "kernel": "k"},
                         "parameters": {"amount": plan.FULL, "seed": 1}})
            store.add(sample(mode="none", output="bad", boot=3))
            store.add(end(event="disturbed"))
            for record in self.records():
                store.add(record)
            store.add(end(event="failed", mode="qemu", logs="failed/qemu"))
            made = report.Report(store, [{"workload": "map, batch 1",
                                          "requests": 8, "kernel": 1234.5,
                                          "user": 10}],
                                 [{"mode": "none", "workload": "exit to the kernel",
                                   "instructions": 8000}])
            text = made.text()
            json.dumps(made.data())
        self.assertIn("| near the ceiling | TCP_STREAM, Mbit/s | table / none |",
                      text)
        self.assertIn("`qemu` in round 1 failed", text)
        self.assertIn("a sample was no figure: none, TCP_STREAM", text)
        self.assertIn("1 boots were made again", text)
        self.assertIn("| map, batch 1 | 1,234 | 10 |", text)
        self.assertIn("| `none` | exit to the kernel | 8,000 |  |  |", text)
        self.assertIn("static 4 GiB in runs, map, ms | static 4 GiB in runs, unmap, ms |", text)


class Instructions(unittest.TestCase):
    ROWS = [{"workload": "map, batch 1", "requests": 100}]

    def test_for_each_request(self):
        row = instructions.combine(self.ROWS, ["7 7 7", "1000 200 10"])[0]
        self.assertEqual((row["kernel"], row["user"], row["batches"]),
                         (10, 2, 10))

    def test_what_does_not_fit(self):
        for lines in (["7 7 7"], ["7 7 7", "1000 200 0"],
                      ["0 0 0", "1 1 1", "1 1 1"]):
            with self.assertRaises(ValueError):
                instructions.combine(self.ROWS, lines)


    def test_in_guests(self):
        latency = "average map latency(us):1.5 standard\n" \
                  "average unmap latency(us):3.5 standard"
        samples = [sample(mode=mode, item=item, output=(
            "9.25 us/exit" if item.startswith("exit") else latency))
            for mode, items in instructions.GUESTS.items() for item in items]
        # As they come from L1
        lines = [json.dumps({k: v for k, v in s.items() if k != "event"})
                 for s in samples] + [json.dumps(end())]
        rows = instructions.guests(lines)
        self.assertEqual(rows[0], {"mode": "none", "instructions": 9250,
                                   "workload": "exit to the kernel"})
        self.assertEqual([r["instructions"] for r in rows if r["mode"] == "table"],
                         [5000])
        with self.assertRaises(ValueError):
            instructions.guests(lines[:-2])
        with self.assertRaises(ValueError):
            instructions.guests([json.dumps(sample(event="failed", mode="none",
                                                   logs="failed/none"))])


class HostLoad(unittest.TestCase):
    def test_average(self):
        load = host.Load(os.getpid())
        load.offset = 100.0
        # Time, the emulator's and all processor time
        load.points = [(t / 5, t / 5 * 1.5, t / 5 * 1.75)
                       for t in range(0, 1000)]
        emulator, others = load.between(10.0, 12.0)
        self.assertAlmostEqual(emulator, 1.5)
        self.assertAlmostEqual(others, 0.25)
        self.assertIsNone(load.between(1000.0, 1002.0))

    def test_the_clock_is_that_of_the_quickest_line(self):
        load = host.Load(os.getpid())
        load.heard(1.0)
        first = load.offset
        load.heard(0.5)
        self.assertEqual(load.offset, first)


if __name__ == "__main__":
    unittest.main()
