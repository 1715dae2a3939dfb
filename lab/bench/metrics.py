# SPDX-License-Identifier: GPL-2.0-only
"""From a sample, as it comes from L1, to figures with a name and a unit."""

import re

import plan

EXIT = re.compile(r"([\d.]+) us/exit")
STATIC = re.compile(r"map ([\d.]+) us, unmap ([\d.]+) us")
LATENCY = re.compile(r"average (map|unmap) latency\(us\):([\d.]+)")
PAGE_KIB = 4


class BadSample(Exception):
    pass


def workload(item):
    """The name of what is measured."""
    words = item.split(":")
    if words[0] == "net":
        return words[1]
    if words[0] == "mix":
        return "all at once"
    if words[0] == "disk":
        return plan.disk_name(words[1], int(words[2]))
    if words[0] == "exit":
        return f"exit to the {words[1] if words[1] == 'kernel' else 'VMM'}"
    if words[0] == "static":
        return f"static {words[1]} GiB in {words[2]}"
    pages, threads = int(words[1]), int(words[2])
    return f"dma {pages * PAGE_KIB} KiB, {threads} thread" + \
        ("s" if threads > 1 else "")


def _mix(sample):
    """Yield (workload, unit, value) of tests that ran at once."""
    try:
        rates = [float(word) for word in sample["output"].split()]
    except ValueError:
        rates = []
    if sample["status"] or len(rates) != len(plan.MIX):
        raise BadSample(f"status {sample['status']}: {sample['output']}")
    for test, rate in zip(plan.MIX, rates):
        unit = "transactions/s" if test.endswith("_RR") else "Mbit/s"
        yield plan.mixed(test), unit, rate


# Of the line that ioping prints with -B: requests, their time in ns, and their rate
DISK_LINE = re.compile(r"^\d+ \d+ (\d+) [\d ]+$", re.M)


def _disk(sample):
    """Requests per second, of all processes."""
    rates = DISK_LINE.findall(sample["output"])
    processes = int(sample["item"].split(":")[2])
    rate = sum(map(float, rates))
    if len(rates) != processes or rate <= 0:
        raise BadSample(f"not a figure: {sample['output']}")
    return rate


def _costs(sample, amount, unit, per):
    """What L1 spent, for each of an amount of something; processor time in
    seconds times unit[1]."""
    name, scale = unit
    threads = dict(sample.get("threads", {}))
    if threads:
        # Interrupts that find a processor idle are nobody's; with a guest,
        # they are those of L1's end of the wire
        threads["rest of L1"] = sample["tasks"]
        total = sum(threads.values())
    else:
        total = sample["busy"] - sample["child"]
    yield f"CPU {name}/{per}", total * scale / amount
    for role, seconds in threads.items():
        yield f"CPU {name}/{per} ({role})", seconds * scale / amount
    if threads:
        kvm = sample["kvm"]
        yield f"exits/{per}", kvm["exits"] / amount
        yield f"exits to user space/{per}", kvm["mmio_exit_user"] / amount
        # With nothing else in the kernel that a guest writes to, these are
        # the kicks
        yield f"kicks/{per}", kvm["mmio_exit_kernel"] / amount
    vhost = sample.get("vhost")
    if vhost:
        requests = sum(v for k, v in vhost.items() if k.startswith("requests-"))
        yield f"requests/{per}", requests / amount
        for key in ("wakeups", "poll-hits", "in-place"):
            yield f"{key}/{per}", vhost.get(key, 0) / amount


def figures(sample):
    """Yield (unit, value)."""
    words = sample["item"].split(":")
    seconds = float(words[-1])
    if sample["status"]:
        raise BadSample(f"status {sample['status']}: {sample['output']}")
    if words[0] == "disk":
        rate = _disk(sample)
        yield plan.IOPS, rate
        yield from _costs(sample, rate * seconds, ("us", 1e6), "request")
        return
    if words[0] == "net":
        try:
            # netperf may tell of a timer that was late, before the figure
            rate = float(sample["output"].split()[-1])
        except (ValueError, IndexError):
            raise BadSample(f"not a figure: {sample['output']}") from None
        if rate <= 0:
            raise BadSample("nothing was transferred")
        if words[1].endswith("_RR"):
            yield "transactions/s", rate
            yield from _costs(sample, rate * seconds, ("us", 1e6),
                              "transaction")
        else:
            yield "Mbit/s", rate
            yield from _costs(sample, rate * seconds / 1000, ("s", 1), "Gbit")
        return
    latency = {m[1]: float(m[2]) for m in LATENCY.finditer(sample["output"])}
    if set(latency) != {"map", "unmap"}:
        raise BadSample(f"no latencies: {sample['output']}")
    pair = latency["map"] + latency["unmap"]
    yield "us/map", latency["map"]
    yield "us/unmap", latency["unmap"]
    yield "us/map+unmap", pair
    if pair:
        # The benchmark does not tell how many it made
        yield from _costs(sample, seconds * int(words[2]) * 1e6 / pair,
                          ("us", 1e6), "map+unmap")


def rows(sample):
    """Yield (workload, unit, value)."""
    name = workload(sample["item"])
    if sample["item"].startswith("exit:"):
        found = EXIT.match(sample["output"])
        if sample["status"] or not found:
            raise BadSample(f"status {sample['status']}: {sample['output']}")
        yield name, plan.EXIT, float(found[1])
        return
    if sample["item"].startswith("mix:"):
        yield from _mix(sample)
        return
    if not sample["item"].startswith("static:"):
        for unit, value in figures(sample):
            yield name, unit, value
        return
    # What the processors did is for the most part setting up
    found = STATIC.findall(sample["output"])
    if sample["status"] or not found:
        raise BadSample(f"status {sample['status']}: {sample['output']}")
    for times in found:
        times = [float(time) / 1000 for time in times]
        for what, time in zip(("map", "unmap", "both"), (*times, sum(times))):
            yield f"{name}, {what}", plan.STATIC, time


def ring_figures(data):
    """Yield (mode, workload, unit, values) of the test tool's file."""
    for row in data["rows"]:
        values = row.get("samples") or [row["median"]]
        yield row["mode"], row["workload"], row["unit"], values
