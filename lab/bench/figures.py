# SPDX-License-Identifier: GPL-2.0-only
"""All figures of a run: collected, with intervals, ratios and targets."""

import collections

import metrics
import plan
import stats

MAIN_UNITS = ("Mbit/s", "transactions/s", plan.IOPS, plan.PAIR, plan.STATIC)
# Of all processors
SATURATED = 0.95
BASES = ("none", "none-patched", "qemu", "accel", "reference")


class Figures:
    def __init__(self, records):
        # (mode, workload, unit) -> boot -> values
        self.samples = collections.defaultdict(
            lambda: collections.defaultdict(list))
        self.bad = []
        # mode -> list of (emulator, others)
        self.host = collections.defaultdict(list)
        self.boot_seconds = collections.defaultdict(list)
        for record in records:
            self._take(record)
        self._rows = {}

    def _take(self, record):
        mode, boot = record["mode"], record["round"]
        if record["event"] == "ready" and record["seconds"]:
            self.boot_seconds[mode].append(record["seconds"])
        elif record["event"] == "ring":
            for row, workload, unit, values in \
                    metrics.ring_figures(record["data"]):
                self.samples[row, workload, unit][boot] += values
        elif record["event"] == "sample":
            try:
                for workload, unit, value in list(metrics.rows(record)):
                    self.samples[mode, workload, unit][boot].append(value)
            except metrics.BadSample as error:
                workload = metrics.workload(record["item"])
                self.bad.append(f"{mode}, {workload}: {error}")
            if record.get("host"):
                self.host[mode].append(record["host"])

    def has(self, mode, workload, unit):
        return (mode, workload, unit) in self.samples

    def row(self, mode, workload, unit):
        """The row of results, or None."""
        key = mode, workload, unit
        if key not in self.samples:
            return None
        if key not in self._rows:
            samples = self.samples[key]
            values = stats.pooled(samples)
            low, high = stats.interval(samples)
            self._rows[key] = {
                "mode": mode, "workload": workload, "unit": unit,
                "median": stats.median(values), "low": low, "high": high,
                "n": len(values), "boots": len(samples)}
        return self._rows[key]

    def rows(self):
        return [self.row(*key) for key in sorted(self.samples)]

    def ratio(self, above, below, workload, unit, other=None):
        """(ratio, low, high) of two modes, or of two workloads of a mode
        (the second one is other), or None."""
        first, second = (above, workload, unit), (below, other or workload,
                                                  unit)
        if first not in self.samples or second not in self.samples:
            return None
        return stats.ratio(self.samples[first], self.samples[second])

    def workloads(self, unit):
        return sorted({w for _, w, u in self.samples if u == unit})

    def modes(self):
        """Those with guests, or the reference, that have figures."""
        have = {m for m, _, u in self.samples if u in MAIN_UNITS}
        return [m for m in plan.MODES if m in have]

    def ratios(self):
        result = []
        for unit in MAIN_UNITS:
            for workload in self.workloads(unit):
                for mode in self.modes():
                    for row in BASES:
                        base = plan.beside(row, mode)
                        if mode == base:
                            continue
                        found = self.ratio(mode, base, workload, unit)
                        if found:
                            result.append({
                                "mode": mode, "over": base,
                                "workload": workload, "unit": unit,
                                "ratio": found[0], "low": found[1],
                                "high": found[2]})
        return result

    def targets(self):
        result = []
        for target in plan.TARGETS:
            found = self.ratio(target.above, target.below, target.workload,
                               target.unit)
            result.append(self._judged(
                target.text, f"{target.workload}, {target.unit}",
                target.above, target.below, target.bound(), found,
                target.met))
        for flat in plan.FLAT:
            found = self.ratio(flat.mode, flat.mode, flat.workload, "ns",
                               flat.of)
            result.append(self._judged(
                flat.text, "ns", flat.workload, flat.of,
                f"at most {flat.most:g}", found,
                lambda low, high, most=flat.most: high <= most))
        return result

    @staticmethod
    def _judged(text, what, above, below, bound, found, met):
        judged = {"target": text, "what": what, "above": above,
                  "below": below, "bound": bound, "ratio": None, "low": None,
                  "high": None, "met": None}
        if found:
            judged.update(ratio=found[0], low=found[1], high=found[2],
                          met=met(found[1], found[2]))
        return judged

    def load(self, cpus):
        """What the emulator and others used of the machine's processors."""
        result = {}
        for mode, points in self.host.items():
            emulator = [p[0] for p in points]
            others = [p[1] for p in points]
            full = [sum(p) >= SATURATED * cpus for p in points]
            result[mode] = {
                "saturated": sum(full) / len(full),
                "emulator": stats.median(emulator),
                "emulator_high": stats.quantile(emulator, 0.9),
                "others": stats.median(others),
                "others_high": stats.quantile(others, 0.9)}
        return result
