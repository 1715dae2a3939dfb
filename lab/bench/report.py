#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make figures, tables and plots of the raw samples of a run."""

import argparse
import collections
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import plan  # noqa: E402
from figures import Figures  # noqa: E402
from store import Store  # noqa: E402

ROLES = ("vcpu", "worker", "vmm", "rest of L1")
# Workload, unit of processor time, and what it is counted for
COSTS = (("TCP_STREAM", "CPU s", "Gbit"), ("TCP_MAERTS", "CPU s", "Gbit"),
         ("TCP_RR", "CPU us", "transaction"),
         ("UDP_RR", "CPU us", "transaction"),
         (plan.DMA_4K, "CPU us", "map+unmap"))
COUNTS = ("exits", "exits to user space", "kicks", "requests", "wakeups",
          "poll-hits", "in-place")


def number(value):
    """Three digits that matter."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(row):
    if not row:
        return ""
    return f"{number(row['median'])} ({number(row['low'])} to " \
        f"{number(row['high'])})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines) + "\n"


class Report:
    def __init__(self, store, counts, in_guests=()):
        self.config = store.config
        self.store = store
        self.counts = counts
        self.in_guests = in_guests
        self.figures = Figures(store.complete())
        self.modes = self.figures.modes()
        self.parts = []

    def section(self, title, *texts):
        if any(texts):
            self.parts.append(f"## {title}\n\n" + "\n".join(texts))

    def head(self):
        c, amount = self.config, self.config["parameters"]["amount"]
        m = c["machine"]
        versions = {**c["versions"], **self.versions()}
        planned, rounds = amount["rounds"], self.rounds()
        self.parts.append(
            "# vhost-iommu beside its peers\n\n"
            f"Started {c['started']} on {m['cpus']} x {m['cpu']}, "
            f"{m['memory_mib']} MiB, Linux {m['kernel']}, in software "
            "emulation: the figures compare ways to do a thing, they are not "
            "those of hardware.\n\n"
            f"{rounds}{'' if rounds == planned else f' of {planned}'} rounds in "
            f"random order (seed {c['parameters']['seed']}): each boots the emulated host and, "
            "in it, a guest for each row, with the same kernel, firmware, NIC "
            "and processors. Directions are the guest's: with TCP_STREAM it "
            "sends. Figures are medians, in brackets the 95 % interval of the "
            "median, from resampling boots.\n\n" +
            self.disturbed() +
            ("" if rounds >= plan.FULL["rounds"] else
             "**A short run: its intervals say little.**\n\n") +
            table(("what", "version"), sorted(versions.items())) +
            "\n" + table(("row", "what it is"),
                         [(f"`{k}`", v) for k, v in plan.MODES.items()
                          if k in c["parameters"].get("modes", plan.MODES)]))

    def disturbed(self):
        again = sum(self.store.disturbances().values())
        return f"{again} boots were made again, as something else had the " \
            "processors meanwhile.\n\n" if again else ""

    def rounds(self):
        """How many all rows have; a run that is interrupted has fewer."""
        return min(collections.Counter(
            mode for _, mode in self.store.done()).values(), default=0)

    def versions(self):
        for record in self.store.records:
            if record["event"] == "versions":
                return {k: v for k, v in record.items() if k != "event"}
        return {}

    def targets(self):
        rows, missing = [], 0
        for t in self.figures.targets():
            if t["met"] is None:
                missing += 1
                continue
            met = {True: "yes", False: "**no**"}
            rows.append((t["target"], t["what"],
                         f"{t['above']} / {t['below']}", t["bound"],
                         "" if t["ratio"] is None else
                         f"{number(t['ratio'])} ({number(t['low'])} to "
                         f"{number(t['high'])})", met[t["met"]]))
        if rows:
            self.section("Targets", table(("target", "of", "ratio of", "bound",
                                           "ratio", "met"), rows),
                         f"{missing} others were not measured.\n"
                         if missing else "")

    def by_mode(self, columns):
        """columns: (title, workload, unit); empty ones are left out."""
        f = self.figures
        columns = [c for c in columns
                   if any(f.has(mode, *c[1:]) for mode in self.modes)]
        if not columns:
            return ""
        rows = [(f"`{mode}`", *(spread(f.row(mode, *c[1:])) for c in columns))
                for mode in self.modes
                if any(f.has(mode, *c[1:]) for c in columns)]
        return table(("row", *(c[0] for c in columns)), rows)

    def against(self, base, columns):
        f = self.figures
        rows = []
        for mode in self.modes:
            cells = []
            for workload, unit in columns:
                peer = plan.beside(base, mode)
                found = None if mode == peer else \
                    f.ratio(mode, peer, workload, unit)
                cells.append(f"{number(found[0])} ({number(found[1])} to "
                             f"{number(found[2])})" if found else "")
            if any(cells):
                rows.append((f"`{mode}`", *cells))
        if not rows:
            return ""
        return table((f"row / `{base}`",
                      *(f"{w}, {u}" for w, u in columns)), rows)

    def network(self):
        columns = [(w, w, u) for u in ("Mbit/s", "transactions/s")
                   for w in self.figures.workloads(u)]
        self.section("Network", "netperf, Mbit/s, and transactions per second "
                     "of TCP_RR and UDP_RR. Where a guest has more processors "
                     "than the machine, three tests run at once. Ratios are to "
                     "the row with as many processors, and the same card: "
                     "`net-` rows have a virtio-net (beside `accel`: "
                     "`net-smmu`).\n",
                     self.by_mode(columns), "![Network](network.svg)\n",
                     *(self.against(base, [c[1:] for c in columns])
                       for base in ("none", "accel", "qemu")))

    def nvme(self):
        columns = [(w, w, plan.IOPS) for w in self.figures.workloads(plan.IOPS)]
        if columns:
            self.section("Emulated NVMe", "ioping, 4 KiB, one request at a time of "
                         "each process, on a disk that has no data: requests "
                         "per second.\n", self.by_mode(columns),
                         "![NVMe](nvme.svg)\n",
                         *(self.against(base, [c[1:] for c in columns])
                           for base in ("none", "accel", "qemu")))

    def latency(self):
        workloads = self.figures.workloads(plan.PAIR)
        self.section(
            "Strict map and unmap latency",
            "The kernel's DMA map benchmark in the guest, microseconds for "
            "one map and unmap.\n",
            self.by_mode([(w, w, plan.PAIR) for w in workloads]),
            "![Latency](latency.svg)\n", "Of the first, map and unmap:\n",
            self.by_mode([(u, plan.DMA_4K, u)
                          for u in ("us/map", "us/unmap")]),
            *(self.against(base, [(w, plan.PAIR) for w in workloads])
              for base in ("reference", "accel", "qemu")))

    def static(self):
        workloads = self.figures.workloads(plan.STATIC)
        if workloads:
            self.section(
                "Static mapping",
                "All of a user-space driver's memory mapped and unmapped at "
                "once, by VFIO and iommufd in the guest, milliseconds. Huge "
                "pages are next to each other in RAM (runs), so that the guest "
                "maps many together, or each is on its own (pages). With "
                "`accel`, Linux in the guest gives no device to user space: "
                "QEMU's firmware tables ask for identity mappings.\n",
                self.by_mode([(w, w, plan.STATIC) for w in workloads]),
                "![Static mapping](static.svg)\n",
                *(self.against(base, [(w, plan.STATIC) for w in workloads])
                  for base in ("reference", "qemu")))

    def processors(self):
        texts = ["L1's processor time without netperf's own. Where the row is "
                 "the reference, the other end is L1's as well.\n"]
        for workload, unit, per in COSTS:
            all_of_it = f"{unit}/{per}"
            text = self.by_mode(
                [(f"{workload}: {all_of_it}", workload, all_of_it)] +
                [(role, workload, f"{all_of_it} ({role})") for role in ROLES])
            if text:
                texts.append(text)
        if len(texts) > 1:
            self.section("Processor time", *texts,
                         "![Processor time](processors.svg)\n")

    def exits(self):
        texts = []
        for workload, _, per in COSTS:
            text = self.by_mode([(c, workload, f"{c}/{per}") for c in COUNTS])
            if text:
                texts += [f"{workload}, for each {per}:\n", text]
        found = self.by_mode([(w, w, plan.EXIT) for w in
                              self.figures.workloads(plan.EXIT)])
        if found:
            texts += ["What an exit takes that does nothing but read a register "
                      "which L1's kernel, or the VMM, emulates, microseconds: "
                      "the least that asking the host can cost.\n", found]
        self.section("Exits and kicks", *texts)

    def ring(self):
        f = self.figures
        modes = [m for m in dict.fromkeys(m for m, _, u in f.samples
                                          if u == "ns")]
        rows = []
        for workload in dict.fromkeys(w for _, w, u in f.samples
                                      if u == "ns"):
            cells = []
            for mode in modes:
                row = f.row(mode, workload, "ns")
                cells.append(spread({k: row[k] / 1000 for k in (
                    "median", "low", "high")}) if row else "")
            rows.append((workload, *cells))
        if rows:
            self.section("Requests on the ring", "The test tool's benchmark, "
                         "microseconds a request.\n",
                         table(("workload", *modes), rows),
                         "![Ring](ring.svg)\n")

    def queues(self):
        f = self.figures
        rows = []
        for workload in dict.fromkeys(w for m, w, u in f.samples
                                      if m in plan.QUEUES and u == plan.RATE):
            found = f.ratio("queues-2", "queues-1", workload, plan.RATE)
            rows.append((workload, *(spread(f.row(m, workload, plan.RATE))
                                     for m in plan.QUEUES),
                         number(found[0]) if found else ""))
        if rows:
            self.section("Request queues", "Two threads of the test tool, each "
                         "with a domain and a device, served in place, "
                         "requests per second: one thread alone "
                         "(`queues-1`), both with one queue "
                         "(`queues-shared`), and with one each "
                         "(`queues-2`). With eventfds without a device "
                         "they share nothing but the kernel and the "
                         "emulator: that is what to notify of each "
                         "request gains, whatever the request is.\n",
                         table(("workload", *plan.QUEUES,
                                "queues-2 / queues-1"), rows))

    def instructions(self):
        if not self.counts:
            return
        rows = [(r["workload"], number(r["kernel"]), number(r["user"]),
                 number(r["kernel"] + r["user"])) for r in self.counts]
        self.section("Instructions", "Executed in L1 for one request of the "
                     "ring, no busy polling, counted by the emulator; user "
                     "space is the test tool's own side.\n",
                     table(("workload", "kernel", "user space", "both"),
                           rows), *self.instructions_in_guests())

    def instructions_in_guests(self):
        rows = []
        for found in self.in_guests:
            unit = plan.PAIR if found["workload"] == plan.DMA_4K else plan.EXIT
            time = self.figures.row(found["mode"], found["workload"], unit)
            count = found["instructions"]
            rows.append((f"`{found['mode']}`", found["workload"], number(count),
                         number(time["median"]) if time else "",
                         number(time["median"] * 1000 / count) if time else ""))
        if not rows:
            return ()
        return ("What leaving a guest, and a map and unmap in it, take of the "
                "machine: instructions, the time that this report has for it in "
                "microseconds, and by both nanoseconds for an instruction. What "
                "leaves the guest takes more of them, as the emulator translates "
                "addresses anew.\n",
                table(("row", "workload", "instructions", "us",
                       "ns/instruction"), rows))

    def machine(self):
        cpus = self.config["machine"]["cpus"]
        rows = [(f"`{mode}`", number(load["emulator"]),
                 number(load["emulator_high"]), number(load["others"]),
                 number(load["others_high"]), f"{load['saturated']:.0%}")
                for mode, load in sorted(self.figures.load(cpus).items())]
        if rows:
            self.section(
                "Load of the machine", f"Processors (of {cpus}) that the "
                "emulator and everything else used during the samples: "
                "median, and what the highest tenth is above; and in how many "
                "of the samples there were none left.\n",
                table(("row", "emulator", "highest tenth", "others",
                       "highest tenth", "saturated"), rows))

    def trouble(self):
        lines = [f"- `{r['mode']}` in round {r['round'] + 1} failed"
                 f"{': ' + r['why'] if r.get('why') else ''}, see "
                 f"`{r['logs']}`\n" for r in self.store.records
                 if r["event"] == "failed"]
        lines += [f"- a sample was no figure: {text}\n"
                  for text in self.figures.bad]
        self.section("What failed", *lines)

    def text(self):
        self.head()
        self.targets()
        self.network()
        self.nvme()
        self.latency()
        self.static()
        self.processors()
        self.exits()
        self.ring()
        self.queues()
        self.instructions()
        self.machine()
        self.trouble()
        return "\n".join(self.parts)

    def data(self):
        f = self.figures
        rows = f.rows()
        for count in self.counts:
            for space in ("kernel", "user"):
                rows.append({
                    "mode": "vhost-iommu", "workload": count["workload"],
                    "unit": f"instructions/request ({space})",
                    "median": count[space], "low": count[space],
                    "high": count[space], "n": count["requests"]})
        rows += [{"mode": found["mode"], "workload": found["workload"],
                  "unit": "instructions", "n": 1,
                  **dict.fromkeys(("median", "low", "high"), found["instructions"])}
                 for found in self.in_guests]
        return {"rows": rows, "ratios": f.ratios(), "targets": f.targets(),
                "load": f.load(self.config["machine"]["cpus"]), "config": self.config,
                "versions": self.versions(), "bad_samples": f.bad,
                "failed": [r for r in self.store.records
                           if r["event"] == "failed"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--instructions", default="")
    parser.add_argument("--no-plots", action="store_true")
    args = parser.parse_args()

    def path(name):
        return os.path.join(args.run, name)

    store = Store(path("samples.jsonl")).load()
    if not store.config:
        sys.exit("bench: nothing was measured")
    counts = {"rows": [], "guests": []}
    if os.path.exists(args.instructions):
        with open(args.instructions) as file:
            counts = json.load(file)
    report = Report(store, counts["rows"], counts["guests"])
    with open(path("report.md"), "w", encoding="utf-8") as file:
        file.write("<!-- SPDX-License-Identifier: GPL-2.0-only -->\n" +
                   report.text())
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(report.data(), file, indent=1)
        file.write("\n")
    if not args.no_plots:
        import plots
        plots.draw(report.figures, path)
    met = [t["met"] for t in report.figures.targets()]
    print(f"bench: {path('report.md')}, figures: {args.json}, raw samples: "
          f"{path('samples.jsonl')}")
    print(f"bench: {met.count(True)} targets met, {met.count(False)} missed, "
          f"{met.count(None)} not measured")


if __name__ == "__main__":
    main()
