# SPDX-License-Identifier: GPL-2.0-only
"""Plots of a run, as SVG."""

import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

import plan  # noqa: E402

# The same file for the same figures
matplotlib.rcParams.update({"svg.hashsalt": "vhost-iommu",
                            "svg.fonttype": "none", "font.size": 9})
OURS = ("vhost", "poll", "mq", "table", "tpoll", "tmq", "net-vhost", "net-poll",
        "net-vhost-off", "nvme-vhost", "nvme-poll")
CEILINGS = ("none", "none-patched", "reference", "net-none", "nvme-none")
ROLE_COLOURS = {"vcpu": "#4477aa", "worker": "#ee6677", "vmm": "#228833",
                "rest of L1": "#bbbbbb"}
BATCH = re.compile(r"^(map|unmap|invalidate), batch (\d+)$")


def _colour(mode):
    row, _ = plan.split(mode)
    if row in OURS:
        return "#ee6677"
    return "#bbbbbb" if row in CEILINGS else "#4477aa"


def _save(figure, name):
    figure.tight_layout()
    figure.savefig(name, metadata={"Date": None})
    plt.close(figure)


def _name(mode):
    return plan.NAMES[plan.split(mode)[0]]


def _group(mode):
    """Rows of a panel: (processors, whether the device is not the usual one)."""
    return plan.split(mode)[1], mode in plan.OTHER_MODES


def _bars(axes, figures, modes, workload, unit, group, log=False):
    cpus, other = group
    rows = [(mode, figures.row(mode, workload, unit)) for mode in modes
            if _group(mode) == group]
    rows = [(mode, row) for mode, row in rows if row]
    places = range(len(rows))
    medians = [row["median"] for _, row in rows]
    errors = [[max(0, row["median"] - row["low"]) for _, row in rows],
              [max(0, row["high"] - row["median"]) for _, row in rows]]
    axes.barh(places, medians, xerr=errors, capsize=2,
              color=[_colour(mode) for mode, _ in rows])
    axes.set_yticks(places, [_name(mode) for mode, _ in rows])
    axes.invert_yaxis()
    axes.set_title(workload + (f", {cpus} processors" if cpus > 1 else "") +
                   (", virtio-net" if other and unit != plan.IOPS else ""))
    axes.set_xlabel(unit)
    if log:
        axes.set_xscale("log")


def _panels(figures, panels, name, log=False):
    """One panel for each (workload, unit) and number of processors or card."""
    modes = figures.modes()
    groups = [*((cpus, False) for cpus in (1, *plan.SMP)), (1, True)]
    panels = [(*p, group) for group in groups for p in panels
              if any(figures.has(m, *p) for m in modes if _group(m) == group)]
    if not panels:
        return
    lines = (len(panels) + 1) // 2
    figure, grid = plt.subplots(lines, 2, squeeze=False,
                                figsize=(9, 0.8 + lines * 2.6))
    for axes, panel in zip(grid.flat, panels):
        _bars(axes, figures, modes, *panel, log=log)
    for axes in list(grid.flat)[len(panels):]:
        axes.set_visible(False)
    _save(figure, name)


def _processors(figures, name):
    unit = plan.CPU_PAIR
    modes = [m for m in figures.modes() if plan.split(m)[1] == 1 and
             figures.has(m, plan.DMA_4K, f"{unit} (vcpu)")]
    if not modes:
        return
    figure, axes = plt.subplots(figsize=(9, 1 + 0.4 * len(modes)))
    left = [0.0] * len(modes)
    for role, colour in ROLE_COLOURS.items():
        widths = [figures.row(m, plan.DMA_4K, f"{unit} ({role})")["median"]
                  for m in modes]
        axes.barh([_name(m) for m in modes], widths, left=left, color=colour, label=role)
        left = [a + b for a, b in zip(left, widths)]
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.set_title(f"{plan.DMA_4K}: L1's processor time")
    axes.legend()
    _save(figure, name)


def _ring(figures, name):
    series = {}
    for mode, workload, unit in figures.samples:
        match = BATCH.match(workload)
        if match and unit == "ns":
            row = figures.row(mode, workload, unit)
            series.setdefault((match[1], mode), []).append(
                (int(match[2]), row["median"] / 1000))
    if not series:
        return
    kinds = sorted({kind for kind, _ in series})
    figure, grid = plt.subplots(1, len(kinds), squeeze=False, sharey=True,
                                figsize=(9, 3.4))
    for axes, kind in zip(grid.flat, kinds):
        for (of, mode), points in sorted(series.items()):
            if of == kind:
                axes.plot(*zip(*sorted(points)), marker="o", label=mode)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.set_title(kind)
        axes.set_xlabel("requests for each kick")
    grid.flat[0].set_ylabel("us/request")
    grid.flat[0].legend()
    _save(figure, name)


def draw(figures, path):
    _panels(figures, [(w, u) for u in ("Mbit/s", "transactions/s")
                      for w in figures.workloads(u)], path("network.svg"))
    _panels(figures, [(w, plan.PAIR) for w in figures.workloads(plan.PAIR)],
            path("latency.svg"), log=True)
    _panels(figures, [(w, plan.STATIC)
                      for w in figures.workloads(plan.STATIC)],
            path("static.svg"), log=True)
    _panels(figures, [(w, plan.IOPS) for w in figures.workloads(plan.IOPS)],
            path("nvme.svg"))
    _processors(figures, path("processors.svg"))
    _ring(figures, path("ring.svg"))
