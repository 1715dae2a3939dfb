# SPDX-License-Identifier: GPL-2.0-only
"""What is measured, in which order, and what it should come to."""

import random

# mode: what a reader should know of it
MODES = {
    "reference": "no guest: L1's own SMMU driver, strict",
    "none": "no vIOMMU, Debian's QEMU",
    "none-patched": "no vIOMMU, QEMU with the series (control)",
    "qemu": "QEMU's virtio-iommu, Debian's QEMU (peer 1)",
    "accel": "QEMU's arm-smmuv3,accel=on, Debian's QEMU (peer 2)",
    "qemu-patched": "vhost=off, QEMU with the series (control)",
    "vhost": "vhost-iommu, map/unmap, poll-us=0",
    "poll": "vhost-iommu, map/unmap, busy polling by default",
    "table": "vhost-iommu, tables, poll-us=0",
    "tpoll": "vhost-iommu, tables, busy polling by default",
    "ring": "the test tool's rings, no guest",
}
# The same in words, for plots
NAMES = {
    "reference": "host's own driver",
    "none": "no vIOMMU",
    "none-patched": "no vIOMMU, with the series",
    "qemu": "QEMU's virtio-iommu",
    "accel": "QEMU's accelerated SMMU",
    "qemu-patched": "QEMU's virtio-iommu, with the series",
    "vhost": "map/unmap, no polling",
    "poll": "map/unmap, polling",
    "table": "tables, no polling",
    "tpoll": "tables, polling",
    "mq": "map/unmap, a queue for each processor",
    "tmq": "tables, a queue for each processor",
}
CONTROLS = ("none-patched", "qemu-patched")
# Guests with several processors, beside those with one: how many, and which rows
SMP = {2: ("none", "qemu", "accel", "vhost", "poll", "mq", "table", "tpoll", "tmq"),
       4: ("none", "qemu", "vhost", "poll", "mq", "table", "tpoll", "tmq")}
# Which differ from others only if there are several
ONLY_SMP = {
    "mq": "vhost-iommu, map/unmap, poll-us=0, a request queue for each processor "
          "(Linux' driver with the series)",
    "tmq": "vhost-iommu, tables, poll-us=0, a request queue for each processor",
}


def with_cpus(row, cpus):
    """The row that is the same with a guest of so many processors."""
    return row if cpus == 1 else f"{row}-{cpus}cpus"


def split(mode):
    """(row of a guest with one processor, processors)."""
    row, dash, end = mode.rpartition("-")
    if dash and end.endswith("cpus"):
        return row, int(end[:-len("cpus")])
    return mode, 1


for _cpus, _rows in SMP.items():
    MODES.update({with_cpus(row, _cpus):
                  f"{(MODES | ONLY_SMP)[row]}; guest with {_cpus} processors"
                  for row in _rows})
# A virtio-net instead of the assigned NIC
NET_MODES = {
    "net-none": "virtio-net by the host's vhost-net, no vIOMMU, Debian's QEMU",
    "net-qemu": "vhost-net behind QEMU's virtio-iommu, Debian's QEMU",
    "net-qemu-off": "virtio-net by QEMU, behind QEMU's virtio-iommu, Debian's QEMU",
    "net-smmu": "vhost-net behind QEMU's arm-smmuv3, Debian's QEMU",
    "net-vhost": "vhost-net behind vhost-iommu, map/unmap, poll-us=0",
    "net-poll": "vhost-net behind vhost-iommu, map/unmap, busy polling by default",
    "net-vhost-off": "virtio-net by QEMU, behind vhost-iommu, poll-us=0",
}
# An emulated NVMe, without the assigned NIC
NVME_MODES = {
    "nvme-none": "NVMe by QEMU, no vIOMMU, Debian's QEMU",
    "nvme-qemu": "NVMe by QEMU, behind its virtio-iommu, Debian's QEMU",
    "nvme-smmu": "NVMe by QEMU, behind its arm-smmuv3, Debian's QEMU",
    "nvme-vhost": "NVMe by QEMU, behind vhost-iommu, map/unmap, poll-us=0",
    "nvme-poll": "NVMe by QEMU, behind vhost-iommu, busy polling by default",
}
OTHER_MODES = {**NET_MODES, **NVME_MODES}
MODES.update(OTHER_MODES)
NAMES.update({
    "net-none": "no vIOMMU",
    "net-qemu": "QEMU's virtio-iommu",
    "net-qemu-off": "the same, vhost=off",
    "net-smmu": "QEMU's SMMU",
    "net-vhost": "vhost-iommu, no polling",
    "net-poll": "vhost-iommu, polling",
    "net-vhost-off": "no polling, vhost=off",
    "nvme-none": "no vIOMMU",
    "nvme-qemu": "QEMU's virtio-iommu",
    "nvme-smmu": "QEMU's SMMU",
    "nvme-vhost": "vhost-iommu, no polling",
    "nvme-poll": "vhost-iommu, polling",
})


def beside(base, mode):
    """The row that a mode is compared to: base with as many processors, or with
    the same card."""
    if mode in OTHER_MODES:
        return mode.split("-")[0] + "-" + {"accel": "smmu"}.get(base, base)
    return with_cpus(base, split(mode)[1])


# No IOMMU that user space can have in the guest: Linux keeps devices from it that
# the firmware wants identity mappings for, as QEMU's does behind accel=on (RMR
# nodes, for MSIs)
WITHOUT_STATIC = ("none", "accel", *CONTROLS)
# How the disk is used, and by how many processes
DISK = (("read", 1), ("read", 4), ("write", 4))
NET = ("TCP_STREAM", "TCP_MAERTS", "TCP_RR", "UDP_RR")
# Pages and threads
DMA = ((1, 1), (16, 1), (1, 2), (16, 2))
MAIN_DMA = (1, 1)
# Who answers when a guest reads a register
EXITS = ("kernel", "user")
# All at once, in a guest with more processors than the host has
MIX = ("TCP_STREAM", "TCP_MAERTS", "UDP_RR")
MANY = 4
# How huge pages lie in RAM: next to each other, or none next to the one before
STATIC_ORDERS = ("runs", "pages")

# How much of it: rounds (boots of each mode), samples in a boot, their length
FULL = {"rounds": 5, "net": 6, "net_seconds": 1, "dma": 6, "dma_threads": 1,
        "dma_seconds": 1, "static": 1, "static_gib": 4,
        "ring": "--samples:5:--max-mappings:100000:--static-gib:4"}
QUICK = {"rounds": 2, "net": 1, "net_seconds": 1, "dma": 1, "dma_threads": 1,
         "dma_seconds": 1, "static": 1, "static_gib": 4,
         "ring": "--samples:3:--max-mappings:10000:--max-domains:4096:--static-gib:1"}


def items(mode, amount, rng):
    """What to measure in one boot of a mode, in random order, but benchmark by
    benchmark, as each has another driver for the NIC."""
    if mode == "ring":
        return [f"ring:{amount['ring']}"]
    tests, sizes = NET, DMA
    _, cpus = split(mode)
    if mode in NVME_MODES:
        disk = [f"disk:{how}:{processes}:{amount['net_seconds']}"
                for how, processes in DISK] * amount["net"]
        rng.shuffle(disk)
        return disk
    if mode in NET_MODES:
        sizes = ()
    elif mode in CONTROLS:
        tests, sizes = NET[:2], (MAIN_DMA,)
    elif cpus > 1:
        tests, sizes = NET[:3], (MAIN_DMA, (1, cpus))
    exits = [] if mode in ("reference", *CONTROLS, *OTHER_MODES) or cpus > 1 else \
        [f"exit:{who}" for who in EXITS]
    net = [f"net:{t}:{amount['net_seconds']}" for t in tests]
    if cpus >= MANY:
        net = [f"mix:{amount['net_seconds'] * 2}"]
    net *= amount["net"]
    dma = [f"dma:{pages}:{threads}:{amount['dma_seconds']}"
           for pages, threads in sizes
           for _ in range(amount["dma" if threads == 1 else "dma_threads"])]
    rng.shuffle(net)
    rng.shuffle(dma)
    static = [] if mode in (*WITHOUT_STATIC, *OTHER_MODES) or cpus > 1 else [
        f"static:{amount['static_gib']}:{order}"
        for order in STATIC_ORDERS] * amount["static"]
    rng.shuffle(static)
    return exits + net + dma + static


def rounds(modes, amount, seed):
    """A list for each round: (mode, items), in random order."""
    rng = random.Random(seed)
    result = []
    for _ in range(amount["rounds"]):
        order = list(modes)
        rng.shuffle(order)
        result.append([(mode, items(mode, amount, rng)) for mode in order])
    return result


def seconds(mode, amount):
    """About how long a boot of a mode takes, for the time left."""
    if mode == "ring":
        return 30
    _, cpus = split(mode)
    if cpus > 1:
        tests, pairs = (2 if cpus >= MANY else 3), 1
    elif mode in NET_MODES:
        tests, pairs = len(NET), 0
    elif mode in NVME_MODES:
        tests, pairs = len(DISK), 0
    elif mode in CONTROLS:
        tests, pairs = 2, 1
    else:
        tests, pairs = len(NET), 2
    net = tests * amount["net"]
    dma = amount["dma"] * pairs
    if mode not in CONTROLS:
        dma += amount["dma_threads"] * pairs
    static = 0 if mode in (*WITHOUT_STATIC, *OTHER_MODES) or cpus > 1 else \
        amount["static"] * len(STATIC_ORDERS)
    return 14 + net * (amount["net_seconds"] + 0.1) + \
        dma * (amount["dma_seconds"] + 0.2) + \
        static * (0.4 + 0.3 * amount["static_gib"])


def disk_name(how, processes):
    """The name of what is done with a disk."""
    return f"disk {how}, {processes} process" + ("es" if processes > 1 else "")


def mixed(test):
    """The name of a test that others run beside."""
    return f"{test} among others"


PAIR = "us/map+unmap"
IOPS = "requests/s of 4 KiB"
DMA_4K = "dma 4 KiB, 1 thread"
CPU_PAIR = "CPU us/map+unmap"
# Of the static mapping only
STATIC = "ms"
EXIT = "us/exit"


class Target:
    """above/below has to be at least or at most a factor."""

    def __init__(self, text, workload, unit, above, below, least=None,
                 most=None):
        self.text = text
        self.workload, self.unit = workload, unit
        self.above, self.below = above, below
        self.least, self.most = least, most

    def met(self, low, high):
        """By the end of the interval that is further from the target's side."""
        if self.least is not None:
            return low >= self.least
        return high <= self.most

    def bound(self):
        if self.least is not None:
            return f"at least {self.least:g}"
        return f"at most {self.most:g}"


def _targets():
    for mode in ("table", "tpoll"):
        for test, peer2 in (("TCP_STREAM", 1.6), ("TCP_MAERTS", 9)):
            for ceiling in ("none", "none-patched"):
                yield Target("near the ceiling", test, "Mbit/s", mode, ceiling,
                             least=0.85)
            yield Target("faster than peer 2", test, "Mbit/s", mode, "accel",
                         least=peer2)
    for mode in ("vhost", "poll"):
        for test, peer2 in (("TCP_STREAM", 1.3), ("TCP_MAERTS", 3)):
            yield Target("faster than peer 2", test, "Mbit/s", mode, "accel",
                         least=peer2)
    yield Target("near L1's own latency", DMA_4K, PAIR, "tpoll", "reference",
                 most=3)
    yield Target("latency below peer 2", DMA_4K, PAIR, "accel", "tpoll",
                 least=20)
    yield Target("latency below peer 2", DMA_4K, PAIR, "accel", "table",
                 least=3)
    yield Target("latency below peer 1", DMA_4K, PAIR, "qemu", "poll",
                 least=8)
    for mode in ("vhost", "poll", "table", "tpoll"):
        for peer in ("qemu", "accel"):
            yield Target("less CPU per request", DMA_4K, CPU_PAIR, mode, peer,
                         most=1)
    # What maps faster by an address has to look each page up when it unmaps
    for mode in ("vhost", "poll"):
        for order in STATIC_ORDERS:
            yield Target("gigabytes no dearer than with peer 1",
                         f"static {FULL['static_gib']} GiB in {order}, both",
                         STATIC, mode, "qemu", most=1)
    yield from _smp_targets()
    yield from _net_targets()


def _net_targets():
    for mode, stream in (("net-poll", 3), ("net-vhost", 2)):
        yield Target("vhost-net", "TCP_STREAM", "Mbit/s", mode, "net-qemu",
                     least=stream)
        yield Target("vhost-net", "TCP_RR", "transactions/s", mode, "net-qemu",
                     least=2)
        for test in NET:
            unit = "transactions/s" if test.endswith("_RR") else "Mbit/s"
            yield Target("vhost-net no slower than virtio-net by QEMU", test,
                         unit, mode, "net-qemu-off", least=1)
    for mode in ("nvme-poll", "nvme-vhost"):
        for how, processes in DISK:
            yield Target("emulated NVMe", disk_name(how, processes), IOPS, mode,
                         "nvme-qemu", least=1.5)


def _smp_targets():
    two, four = "-2cpus", "-4cpus"
    for mode in ("vhost", "poll"):
        for test in NET[:2]:
            yield Target("two processors, an unmodified guest", test, "Mbit/s",
                         mode + two, "qemu" + two, least=1.5)
    for mode in ("table", "tpoll", "tmq"):
        yield Target("two processors, near the ceiling", "TCP_MAERTS",
                     "Mbit/s", mode + two, "none" + two, least=0.8)
        yield Target("two processors, faster than peer 1", "TCP_STREAM",
                     "Mbit/s", mode + two, "qemu" + two, least=2.5)
    for mode in SMP[4][2:]:
        for test in MIX:
            unit = "transactions/s" if test.endswith("_RR") else "Mbit/s"
            yield Target("four processors on two", mixed(test), unit,
                         mode + four, "qemu" + four, least=1)
            if mode in ("table", "tpoll", "tmq"):
                yield Target("four processors on two", mixed(test), unit,
                             mode + four, "none" + four, least=0.5)


# Of the ring: two threads with a queue each, beside one
QUEUES = ("queues-1", "queues-shared", "queues-2")
RATE = "requests/s"


def _queue_targets():
    for size in (1, 16):
        for work, least in (("map+unmap, software only", 1.8),
                            ("invalidate", 1.8), ("map+unmap, devices", 1.6),
                            ("map+unmap, devices, RAM in two pieces", 1.6)):
            yield Target("two request queues", f"{work}, batch {size}", RATE,
                         "queues-2", "queues-1", least=least)


TARGETS = [*_targets(), *_queue_targets()]


class Flat:
    """The ring's cost may grow by a factor at most, from one workload to
    another."""

    def __init__(self, text, workload, of, most, mode="vhost-iommu"):
        self.text, self.mode = text, mode
        self.workload, self.of, self.most = workload, of, most


# Without the wake-up of the worker, which is the same for all
POLLING = "vhost-iommu, busy polling"
FLAT = [
    Flat("flat in domains", f"{op}, 65536 domains, software only",
         f"{op}, 1 domains, software only", 1.5) for op in ("map", "unmap")
] + [
    # log2(100000) / log2(10) is 5
    Flat("at most logarithmic in mappings", f"{op}, 100000 mappings",
         f"{op}, 10 mappings", 5, POLLING) for op in ("map", "unmap")
] + [
    Flat("the same wherever the page lies", "unmap, end of RAM",
         "unmap, start of RAM", 1.1, POLLING),
]
