#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What vhost-iommu-stat makes of /proc and of tracefs: both are directories here."""

import collections
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.dont_write_bytecode = True
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vhost-iommu-stat")


def load():
    loader = importlib.machinery.SourceFileLoader("vhost_iommu_stat", TOOL)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


tool = load()

# Any character device will do, and this one is everywhere
NODE = "/dev/null"
RDEV = os.stat(NODE).st_rdev
MISC = f"""236 device-mapper
{os.minor(RDEV):3} vhost-iommu
238 vhost-net
"""
FIGURES = {
    "device": 1, "requests-unknown": 0, "requests-attach": 2, "requests-detach": 0,
    "requests-map": 600, "requests-unmap": 380, "requests-probe": 3,
    "requests-attach-table": 0, "requests-invalidate": 15, "status-ok": 985,
    "status-inval": 10, "status-noent": 3, "no-status": 2, "batches": 250,
    "wakeups": 240, "poll-hits": 50, "in-place": 900, "ring-errors": 1,
    "refused-maps-inval": 10, "refused-maps-noent": 2, "domains": 2, "endpoints": 3,
    "broken": 0, "mappings": 220, "mapped-bytes": 4 << 30, "table-pages": 77,
    "rebuilds": 0, "host-errors": 4, "events": 9, "events-dropped": 0,
    "events-lost": 0, "inv-commands": 0, "inv-calls": 0}
EVENT = "events/vhost_iommu/vhost_iommu_request"
# As the kernel prints it: hist_trigger_show() in kernel/trace/trace_events_hist.c
HIST = """# event histogram
#
# trigger info: hist:keys=device,type,latency.log2:vals=hitcount:sort=hitcount:size=16384 [active]
#

{ device:          2, type:          7, latency: ~ 2^9  } hitcount:          1
{ device:          1, type:          4, latency: ~ 2^13 } hitcount:         90
{ device:          1, type:          3, latency: ~ 2^12 } hitcount:         42
{ device:          1, type:         11, latency: ~ 2^20 } hitcount:          2

Totals:
    Hits: 135
    Entries: 4
    Dropped: 0
"""
PIPE = b"""\
 qemu-system-aar-77      [001] .....   12.345678: vhost_iommu_request: dev=1 type=MAP \
domain=1 endpoint=0 virt=0x2000000-0x2000fff phys=0x40000000 flags=0x3 status=OK \
used_len=4 latency_ns=4096
        vhost-77-79      [000] .....   12.345679: vhost_iommu_request: dev=1 type=MAP \
domain=1 endpoint=0 virt=0x2000000-0x2000fff phys=0x40000000 flags=0x3 status=INVAL \
used_len=4 latency_ns=4097
CPU:1 [LOST 17 EVENTS]
        vhost-77-79      [000] .....   12.345680: vhost_iommu_request: dev=2 \
type=ATTACH_TABLE domain=1 endpoint=9 virt=0x0-0x0 phys=0x0 flags=0x0 status=OK \
used_len=4 latency_ns=0
CPU:0 [LOST EVENTS]
        vhost-77-79      [000] .....   12.345681: vhost_iommu_endpoint: dev=1 \
endpoint=9 state=table domain=1 rc=0
"""


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.proc = os.path.join(directory.name, "proc")
        self.tracing = os.path.join(directory.name, "tracing")
        self.now = 100.0
        os.mkdir(self.proc)
        self.put(f"{self.proc}/misc", MISC)
        self.patch(tool, "MISC_MAJOR", os.major(RDEV))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)

    def patch(self, where, name, value):
        patcher = mock.patch.object(where, name, value)
        patcher.start()
        self.addCleanup(patcher.stop)

    def put(self, path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def device(self, pid, fd, figures=None, node=NODE, comm="qemu-system-aar", **more):
        """A process that has it open. No figure: None."""
        figures = {**(FIGURES if figures is None else figures),
                   **{name.replace("_", "-"): value for name, value in more.items()}}
        text = "pos:\t0\nflags:\t02000002\nmnt_id:\t25\nino:\t112\n"
        text += "".join(f"vhost-iommu-{name}:\t{value}\n"
                        for name, value in figures.items() if value is not None)
        self.put(f"{self.proc}/{pid}/fdinfo/{fd}", text)
        self.put(f"{self.proc}/{pid}/comm", f"{comm}\n")
        link = f"{self.proc}/{pid}/fd/{fd}"
        os.makedirs(os.path.dirname(link), exist_ok=True)
        if not os.path.lexists(link):
            os.symlink(node, link)

    def finder(self, *pids):
        return tool.Finder(self.proc, pids, clock=lambda: self.now)

    def watch(self, latencies=None):
        watch = tool.Watch(self.finder(), latencies)
        watch.look()
        return watch

    def main(self, *argv, out=None):
        """Status, output and messages of the tool."""
        out = out or io.StringIO()
        with contextlib.redirect_stderr(io.StringIO()) as err:
            status = tool.main(argv, proc=self.proc, tracing=self.tracing, out=out)
        return status, out.getvalue(), err.getvalue()


class Find(Case):
    def scan(self, *pids):
        return [(sample.device, sample.pid, sample.fd)
                for sample in self.finder(*pids).scan().values()]

    def test_figures(self):
        self.device(12, 5)
        sample, = self.finder().scan().values()
        self.assertEqual(sample.command, "qemu-system-aar")
        self.assertEqual({"device": 1, **sample.figures}, FIGURES)

    def test_name_of_process(self):
        self.device(12, 5, comm="a b\x1b[31m\n\u00e9")
        sample, = self.finder().scan().values()
        self.assertEqual(sample.command, "a b?[31m??")

    def test_other_files(self):
        self.device(12, 5)
        self.device(12, 6, node="/dev/zero", device=2)
        self.device(12, 7, node="/", device=3)
        self.device(12, 8, node="/nowhere", device=4)
        self.put(f"{self.proc}/uptime", "1")
        os.mkdir(f"{self.proc}/self")
        self.assertEqual(self.scan(), [(1, 12, 5)])

    def test_not_of_this_driver(self):
        """The descriptor was closed, and is another file now."""
        self.device(12, 5, {})
        self.assertEqual(self.scan(), [])

    def test_one_file_in_several_places(self):
        for pid, fd in ((9, 5), (9, 31), (101, 7)):
            self.device(pid, fd, device=4)
        self.device(33, 2, device=2)
        self.device(101, 8, device=3)
        self.assertEqual(sorted(self.scan()), [(2, 33, 2), (3, 101, 8), (4, 9, 5)])

    def test_processes_in_order(self):
        self.device(101, 7, device=4)
        self.device(9, 12, device=4)
        self.device(9, 5, device=4)
        self.assertEqual(self.scan(), [(4, 9, 5)])

    def test_without_numbers(self):
        self.device(9, 5, device=None)
        self.device(9, 6, device=None)
        self.assertEqual(self.scan(), [(None, 9, 5), (None, 9, 6)])

    def test_some_processes(self):
        self.device(9, 5)
        self.device(10, 5, device=2)
        self.device(11, 5, device=3)
        self.assertEqual(self.scan(11, 9), [(1, 9, 5), (3, 11, 5)])

    def test_vanishing(self):
        """At any of the looks that are taken at a process."""
        self.device(9, 5)
        self.device(10, 5, device=2)
        for what in ("fd", "fdinfo", "comm"):
            path, away = f"{self.proc}/9/{what}", f"{self.proc}/away"
            os.rename(path, away)
            with self.subTest(what):
                self.assertEqual(self.scan(), [(2, 10, 5)])
            os.rename(away, path)
        os.unlink(f"{self.proc}/9/fd/5")
        self.assertEqual(self.scan(), [(2, 10, 5)])
        # The first of two that have it: the other one still does
        self.device(10, 6, device=1)
        self.assertEqual(self.scan(), [(2, 10, 5), (1, 10, 6)])

    def test_process_ends_while_it_is_read(self):
        self.device(9, 5)
        self.patch(tool, "read", mock.Mock(side_effect=[MISC, ProcessLookupError()]))
        self.assertEqual(self.scan(), [])

    def test_no_permission(self):
        self.device(9, 5)
        self.device(10, 5, device=2)
        listdir = os.listdir

        def denied(path):
            if path.endswith("/9/fd"):
                raise PermissionError(13, "Permission denied", path)
            return listdir(path)

        self.patch(os, "listdir", denied)
        finder = self.finder()
        self.assertEqual([sample.pid for sample in finder.scan().values()], [10])
        self.assertEqual(finder.unreadable, 1)
        finder.scan()
        self.assertEqual(finder.unreadable, 1)


class Rates(Case):
    def one(self, report):
        device, = report["devices"]
        return device

    def test_rates(self):
        self.device(12, 5)
        watch = self.watch()
        self.now += 2
        self.device(12, 5, requests_map=1000, requests_unmap=580, status_ok=1575,
                    status_inval=16, no_status=6, batches=400, in_place=1350,
                    refused_maps_inval=14, poll_hits=51, mappings=400, broken=1,
                    host_errors=5)
        report = watch.look()
        device = self.one(report)
        self.assertEqual(report["interval"], 2)
        self.assertEqual(device["rates"]["requests-map"], 200)
        self.assertEqual(device["rates"]["poll-hits"], 0.5)
        self.assertEqual(device["rates"]["host-errors"], 0.5)
        self.assertEqual(device["requests"], 300)
        self.assertEqual(device["batch"], 4)
        self.assertEqual((device["in_place"], device["worker"]), (0.75, 0.25))
        self.assertEqual(device["refused_maps"], 2)
        self.assertEqual(device["errors"], 5)
        self.assertEqual(device["figures"]["mappings"], 400)
        self.assertFalse({"mappings", "broken", "domains"} & set(device["rates"]))

    def test_nothing_done(self):
        self.device(12, 5)
        watch = self.watch()
        self.now += 1
        device = self.one(watch.look())
        self.assertEqual(device["requests"], 0)
        self.assertEqual(set(device["rates"].values()), {0})
        self.assertEqual([device[name] for name in ("batch", "in_place", "worker")],
                         [None] * 3)

    def test_a_later_figure_is_ahead(self):
        self.device(12, 5)
        watch = self.watch()
        self.now += 1
        self.device(12, 5, requests_map=610, in_place=911)
        device = self.one(watch.look())
        self.assertEqual((device["in_place"], device["worker"]), (1, 0))

    def test_totals(self):
        self.device(12, 5)
        report = tool.Watch(self.finder()).look()
        device = self.one(report)
        self.assertEqual((report["interval"], device["rates"]), (None, None))
        self.assertEqual((device["requests"], device["batch"]), (1000, 4))
        self.assertEqual((device["in_place"], device["worker"]), (0.9, 0.1))
        self.assertEqual((device["refused_maps"], device["errors"]), (12, 15))

    def test_opened_meanwhile(self):
        watch = self.watch()
        self.now += 4
        self.device(12, 5)
        self.assertEqual(self.one(watch.look())["requests"], 250)

    def test_opened_anew(self):
        """The next one in that place has another number."""
        self.device(12, 5)
        watch = self.watch()
        self.now += 1
        self.device(12, 5, dict.fromkeys(FIGURES, 0), device=2, requests_map=7)
        device = self.one(watch.look())
        self.assertEqual((device["device"], device["requests"]), (2, 7))

    def test_module_loaded_anew(self):
        """A number comes again: nothing is negative."""
        self.device(12, 5)
        watch = self.watch()
        self.now += 1
        shutil.rmtree(f"{self.proc}/12")
        self.device(13, 4, dict.fromkeys(FIGURES, 0), device=1, requests_unmap=1000,
                    status_ok=1000)
        device = self.one(watch.look())
        self.assertEqual((device["pid"], device["requests"]), (13, 1000))
        self.assertGreaterEqual(min(device["rates"].values()), 0)

    def test_missed_once(self):
        """What it did meanwhile took as long as it was not seen."""
        self.device(12, 5)
        watch = self.watch()
        os.rename(f"{self.proc}/12", f"{self.proc}/away")
        self.now += 1
        self.assertEqual(watch.look()["devices"], [])
        os.rename(f"{self.proc}/away", f"{self.proc}/12")
        self.now += 1
        self.device(12, 5, requests_map=620)
        self.assertEqual(self.one(watch.look())["requests"], 10)

    def test_newer_kernel(self):
        self.device(12, 5, requests_fault=5, status_again=2, pages=3, speed="fast")
        watch = self.watch()
        self.now += 1
        self.device(12, 5, requests_fault=8, status_again=3, pages=9, speed="slow")
        device = self.one(watch.look())
        self.assertEqual(device["rates"]["requests-fault"], 3)
        self.assertEqual((device["requests"], device["errors"]), (3, 1))
        self.assertEqual(device["figures"]["pages"], 9)
        self.assertNotIn("pages", device["rates"])
        self.assertNotIn("speed", device["figures"])

    def test_older_kernel(self):
        few = {"device": 1, "requests-map": 4, "batches": 0, "domains": 1}
        self.device(12, 5, few)
        watch = self.watch()
        self.now += 1
        self.device(12, 5, few, requests_map=8)
        report = watch.look()
        device = self.one(report)
        self.assertEqual((device["requests"], device["errors"]), (4, 0))
        self.assertEqual([device[name] for name in ("batch", "in_place", "worker")],
                         [None] * 3)
        _, row = tool.table(tool.DEVICE | tool.ACTIVITY | tool.STATE, [device])
        self.assertEqual(row.split(), ["1", "12", "4", "4", *"- - - - - - -".split(),
                                       "0", "0", "-", "-", "-", "1",
                                       *"- - - - -".split(), "qemu-system-aar"])


class Latency(Case):
    def setUp(self):
        super().setUp()
        self.instance = self.instance_of(os.getpid())
        self.event = f"{self.instance}/{EVENT}"
        os.makedirs(f"{self.tracing}/instances")
        self.real_mkdir, self.real_rmdir = os.mkdir, os.rmdir
        self.patch(os, "mkdir", self.mkdir)
        self.patch(os, "rmdir", self.rmdir)
        self.hist = True
        self.events = True

    def instance_of(self, pid):
        return f"{self.tracing}/instances/vhost-iommu-stat-{pid}"

    def is_instance(self, path):
        return os.path.dirname(path) == f"{self.tracing}/instances"

    def mkdir(self, path, *mode):
        """As tracefs fills a new instance."""
        self.real_mkdir(path, *mode)
        if not self.is_instance(path):
            return
        for name in ("buffer_size_kb", "trace_options"):
            self.put(f"{path}/{name}", "")
        if self.events:
            for name in ("enable", "trigger", *["hist"] * self.hist):
                self.put(f"{path}/{EVENT}/{name}", "")
        os.mkfifo(f"{path}/trace_pipe")

    def rmdir(self, path, **more):
        """The files of an instance go with it, unless one is open."""
        if self.is_instance(path):
            for fd in os.listdir("/proc/self/fd"):
                with contextlib.suppress(FileNotFoundError):
                    if os.readlink(f"/proc/self/fd/{fd}").startswith(path):
                        raise OSError(16, "Device or resource busy", path)
            for directory, names, files in os.walk(path, topdown=False):
                for name in files:
                    os.unlink(f"{directory}/{name}")
                for name in names:
                    self.real_rmdir(f"{directory}/{name}")
        self.real_rmdir(path, **more)

    def contents(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_histogram(self):
        with tool.tracing_of(self.tracing) as source:
            self.assertEqual(self.contents(f"{self.event}/trigger"),
                             "hist:keys=device,type,latency.log2:size=16384")
            self.assertEqual(self.contents(f"{self.event}/enable"), "")
            self.assertEqual(source.take(), ({}, 0))
            self.put(f"{self.event}/hist", HIST)
            self.assertEqual(source.take(), ({
                (2, "invalidate", 9): 1, (1, "unmap", 13): 90, (1, "map", 12): 42,
                (1, "type-11", 20): 2}, 0))
            self.assertEqual(source.take(), ({}, 0))
            self.put(f"{self.event}/hist", HIST.replace("   42", "   50").replace(
                "Dropped: 0", "Dropped: 3"))
            self.assertEqual(source.take(), ({(1, "map", 12): 8}, 3))
            self.assertEqual(source.take(), ({}, 0))
        self.assertFalse(os.path.exists(self.instance))

    def test_pipe(self):
        self.hist = False
        with tool.tracing_of(self.tracing) as source:
            self.assertEqual(self.contents(f"{self.event}/enable"), "1")
            # A reader is there: it does not block, nor does this
            writer = os.open(f"{self.instance}/trace_pipe", os.O_WRONLY | os.O_NONBLOCK)
            self.assertEqual(source.take(), ({}, 0))
            # A line is read in two parts, at whatever place
            for cut in (1, 120, 300, len(PIPE) - 1):
                os.write(writer, PIPE[:cut])
                source.poll()
                os.write(writer, PIPE[cut:])
                with self.subTest(cut):
                    self.assertEqual(source.take(), ({
                        (1, "map", 12): 1, (1, "map", 13): 1,
                        (2, "attach-table", 0): 1}, 18))
            os.close(writer)
            self.assertEqual(source.take(), ({}, 0))
        self.assertFalse(os.path.exists(self.instance))

    def test_same_buckets(self):
        """As order_base_2() of the kernel has them."""
        pipe = tool.Pipe.__new__(tool.Pipe)
        tool.Latencies.__init__(pipe)
        pipe.rest = b""
        for latency, bucket in ((0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3),
                                (9, 4), (1 << 20, 20), ((1 << 20) + 1, 21)):
            pipe.counts.clear()
            pipe.count(b"x: vhost_iommu_request: dev=1 type=MAP x=0 latency_ns=%d\n" %
                       latency)
            self.assertEqual(pipe.counts, {(1, "map", bucket): 1}, latency)

    def test_report(self):
        class Source:
            @staticmethod
            def take():
                return collections.Counter({
                    (1, "map", 12): 60, (1, "map", 13): 39, (1, "map", 20): 1,
                    (1, "unmap", 10): 1, (7, "map", 11): 5}), 3

        self.device(12, 5)
        self.device(13, 5, device=2)
        watch = self.watch(Source)
        self.now += 1
        report = watch.look()
        self.assertEqual(report["lost_events"], 3)
        first, second = report["devices"]
        self.assertEqual(first["latency"], {
            "map": {"count": 100, "median_us": 4.096, "p99_us": 8.192,
                    "max_us": 1048.576,
                    "buckets": {"4096": 60, "8192": 39, "1048576": 1}},
            "unmap": {"count": 1, "median_us": 1.024, "p99_us": 1.024,
                      "max_us": 1.024, "buckets": {"1024": 1}}})
        self.assertEqual(second["latency"], {})
        self.assertEqual(list(tool.remarks(report)), [
            "   DEV LATENCY       COUNT       HALF        99%        ALL",
            "     1 map             100        4.1        8.2     1048.6",
            "     1 unmap             1        1.0        1.0        1.0",
            "3 requests are missing in the latencies"])

    def test_p99_of_hundreds(self):
        """The sum that 99 % are compared with is no float that is a bit more."""
        for count in range(100, 100000, 100):
            ninety_nine = count // 100 * 99
            buckets = {3: ninety_nine, 4: count - ninety_nine}
            self.assertEqual(tool.describe_latency(buckets)["p99_us"], 0.008, count)

    def test_taken_down_when_something_fails(self):
        for hist in (True, False):
            self.hist = hist
            with self.assertRaises(ZeroDivisionError):
                with tool.tracing_of(self.tracing):
                    raise ZeroDivisionError
            self.assertFalse(os.path.exists(self.instance))

    def test_taken_down_when_set_up_half(self):
        write = tool.write
        for hist, fails in ((True, "trigger"), (True, "buffer_size_kb"),
                            (False, "enable"), (False, "trace_options")):
            self.hist = hist

            def put(path, text, fails=fails):
                write(f"{path}/nowhere" if path.endswith(fails) else path, text)

            with mock.patch.object(tool, "write", put):
                status, _, err = self.main("--latency", "-c", "1")
            with self.subTest(fails):
                self.assertEqual(status, 1)
                self.assertRegex(err, f"can't write to {self.instance}.*{fails}")
                self.assertFalse(os.path.exists(self.instance))

    def test_no_events(self):
        self.events = False
        status, _, err = self.main("--latency", "-c", "1")
        self.assertEqual(status, 1)
        self.assertIn("CONFIG_TRACEPOINTS", err)
        self.assertFalse(os.path.exists(self.instance))

    def test_can_not_be_made(self):
        for error, said in ((FileNotFoundError(2, "x"), "mount -t tracefs nodev"),
                            (PermissionError(13, "Permission denied"), "root"),
                            (FileExistsError(17, "File exists"), "File exists")):
            with mock.patch.object(os, "mkdir", side_effect=error):
                status, _, err = self.main("--latency")
            self.assertEqual(status, 1)
            self.assertIn(said, err)

    def test_run(self):
        self.device(12, 5)
        for hist in (True, False):
            self.hist = hist
            status, out, err = self.main("--latency", "-c", "2", "-i", "0.01", "--json")
            self.assertEqual((status, err), (0, ""))
            for line in out.splitlines():
                report = json.loads(line)
                self.assertEqual(report["lost_events"], 0)
                self.assertEqual(report["devices"][0]["latency"], {})
            self.assertFalse(os.path.exists(self.instance))

    def test_reader_goes(self):
        self.device(12, 5)
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "w", encoding="utf-8") as out:
            out.getvalue = lambda: None
            self.assertEqual(self.main("-l", "-i", "0.01", out=out), (0, None, ""))
        self.assertFalse(os.path.exists(self.instance))


    def test_signals(self):
        """Whatever it is told to end by, at whatever moment after it began."""
        self.device(12, 5)
        for number in tool.STOP:
            pid = os.fork()
            if not pid:
                try:
                    os._exit(self.main("--latency", "--interval", "100")[0])
                finally:
                    os._exit(99)
            end = time.monotonic() + 20
            while not os.path.exists(self.instance_of(pid)):
                self.assertLess(time.monotonic(), end)
            os.kill(pid, number)
            self.assertEqual(os.waitpid(pid, 0), (pid, 0))
            self.assertFalse(os.path.exists(self.instance_of(pid)))


class Signals(unittest.TestCase):
    def test_ignored(self):
        """As "nohup" does."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        self.assertNotIn(signal.SIGHUP, load().STOP)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Run(Case):
    HEADER = ("DEV PID REQ MAP UNMAP INVAL BATCH KICK% WORK% POLL WAKE REFUSED ERR FAULT "
              "HOSTERR RINGERR DOM EP BROKEN MAPS BYTES TABLES COMMAND").split()
    ROW = ("1 12 1000 600 380 15 4 90 10 50 240 12 15 9 4 1 2 3 0 220 4G 77 "
           "qemu-system-aar").split()

    def test_once(self):
        self.device(12, 5)
        status, out, err = self.main("--once")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([line.split() for line in out.splitlines()],
                         [self.HEADER, self.ROW])
        # On a terminal, too, it is not a screen
        self.assertEqual(self.main("-1", out=Terminal())[1], out)

    def test_once_json(self):
        self.device(12, 5)
        status, out, _ = self.main("--once", "--json")
        report = json.loads(out)
        self.assertEqual(status, 0)
        self.assertEqual(set(report), {"time", "interval", "unreadable", "devices"})
        self.assertAlmostEqual(report["time"], time.time(), delta=60)
        device, = report["devices"]
        self.assertEqual(list(device), [
            "device", "pid", "fd", "command", "figures", "rates", "requests",
            "refused_maps", "errors", "batch", "in_place", "worker"])
        self.assertEqual((device["device"], device["pid"], device["fd"]), (1, 12, 5))
        self.assertEqual(device["command"], "qemu-system-aar")

    def test_nothing_open(self):
        self.assertEqual(self.main("--once"), (0, "no vhost-iommu device is open\n", ""))
        status, out, _ = self.main("--once", "--json")
        self.assertEqual((status, json.loads(out)["devices"]), (0, []))
        status, out, _ = self.main("-i", "0.01", "-c", "2")
        self.assertEqual(status, 0)
        self.assertEqual(set(out.splitlines()),
                         {"no vhost-iommu device is open: waiting for one"})
        status, out, _ = self.main("--json", "-i", "0.01", "-c", "2")
        self.assertEqual([json.loads(line)["devices"] for line in out.splitlines()],
                         [[], []])

    def test_file(self):
        for pid in (12, 14):
            self.device(pid, 5, device=pid)
        _, out, _ = self.main("-i", "0.001", "-c", "45")
        lines = [line.split() for line in out.splitlines()]
        headers = [number for number, line in enumerate(lines) if line == self.HEADER]
        self.assertEqual(headers, [0, 41, 82])
        self.assertEqual(len(lines), 90 + 3)
        self.assertEqual(lines[1][:6], ["12", "12", "0", "0", "0", "0"])
        # Gauges, and what is to be 0, are as they are
        self.assertEqual(lines[2][14:], self.ROW[14:])

    def test_screen(self):
        self.device(12, 5)
        for columns, rows in ((100, 30), (20, 4)):
            with mock.patch.dict(os.environ, COLUMNS=str(columns), LINES=str(rows)):
                _, out, _ = self.main("-i", "0.01", "-c", "2", out=Terminal())
            first, *screens = out.split("\x1b[H\x1b[J")
            self.assertEqual((first, len(screens)), ("", 2))
            for screen in screens:
                lines = screen.splitlines()
                self.assertLess(len(lines), rows)
                self.assertLessEqual(max(map(len, lines)), columns)
                if rows == 30:
                    self.assertEqual(
                        [*lines[0].split()[:-1], *lines[3].split()[1:], "COMMAND"],
                        self.HEADER)
                    self.assertLessEqual(len(lines[0]) - len(" COMMAND"), 80)
                    self.assertLessEqual(len(lines[3]), 80)

    def test_columns_are_apart(self):
        big = dict.fromkeys(FIGURES, 99_999_999_999)
        self.device(4194304, 5, big, device=1)
        _, out, _ = self.main("--once")
        header, row = out.splitlines()
        self.assertEqual(len(row.split()), len(header.split()))

    def test_cells(self):
        for value, text in ((0, "0"), (0.25, "0.2"), (9.96, "10"), (12.6, "13"),
                            (9999, "9999"), (10000, "10k"), (12345, "12.3k"),
                            (123456, "123k"), (2.5e7, "25M"), (None, "-")):
            self.assertEqual(tool.cell("REQ", value), text)
        self.assertEqual(tool.cell("BYTES", 3 << 40), "3T")
        self.assertEqual(tool.cell("PID", 4194304), "4194304")
        self.assertEqual(tool.cell("KICK%", 0.873), "87")

    def test_module_is_not_loaded(self):
        self.put(f"{self.proc}/misc", MISC.replace("vhost-iommu", "vhost-iommu2"))
        status, out, err = self.main("--once", "--json")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("modprobe vhost_iommu", err)

    def test_no_proc(self):
        os.unlink(f"{self.proc}/misc")
        status, _, err = self.main()
        self.assertEqual(status, 1)
        self.assertIn(f"{self.proc}/misc", err)

    def test_no_such_process(self):
        status, _, err = self.main("--pid", "12")
        self.assertEqual(status, 1)
        self.assertIn("no process 12", err)

    def test_no_permission(self):
        self.device(12, 5)
        self.device(13, 5, device=2)
        files = tool.Finder.files
        denied = [12, 13]

        def some(finder, pid, rdev):
            if pid in denied:
                finder.unreadable += 1
                return ()
            return files(finder, pid, rdev)

        self.patch(tool.Finder, "files", some)
        status, out, err = self.main("--once", "--json")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("run this as root", err)
        # Who sees some is told that there may be others
        del denied[1]
        self.assertEqual(json.loads(self.main("--once", "--json")[1])["unreadable"], 1)
        status, out, _ = self.main("--once")
        self.assertEqual(status, 0)
        self.assertIn("1 processes can't be looked at", out)

    def test_usage(self):
        for argv in (["-i", "0"], ["-i", "-1"], ["-i", "nan"], ["-i", "inf"], ["-i", "x"],
                     ["-c", "0"], ["-c", "1.5"], ["-p", "x"], ["-1", "-c", "2"],
                     ["-1", "-l"], ["x"]):
            with self.subTest(argv), self.assertRaises(SystemExit) as end:
                self.main(*argv)
            self.assertEqual(end.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
