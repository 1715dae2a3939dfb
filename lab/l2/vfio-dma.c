// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-dma IOVA DEVICE...
 *
 * Runs in the guest (L2) and uses devices, edu or NVMe, which vfio-pci has,
 * through VFIO and iommufd: all of them in one address space, then all of them in
 * another one. Pages are mapped at IOVA, and DMA has to reach those of the
 * address space that the devices are in, and no others.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edu.h"
#include "nvme.h"
#include "vfio.h"

#define MAX_DEVICES		4
#define STAMP			0x600df00d

struct device {
	struct vfio_dev vfio;
	const char *name;
	int nvme;
};

/* What a device uses: an NVMe's queues are the first two pages */
struct pages {
	char *memory;
	size_t page;
	__u64 iova;
};

#define PAGES			3

static __u16 vendor_of(const struct vfio_dev *vfio)
{
	__u16 vendor;

	if (pread(vfio->fd, &vendor, sizeof(vendor), vfio->config) !=
	    sizeof(vendor))
		err(1, "vendor");
	return vendor;
}

/* Have an NVMe say what it is: it fetches the command, and writes the answer */
static void use_nvme(const struct device *dev, const struct pages *p)
{
	__u16 *data = (void *)(p->memory + 2 * p->page);
	struct nvme nvme;
	__u32 status;

	*data = 0;
	nvme_start(&nvme, p->memory, p->iova);
	status = nvme_identify(&nvme, p->iova + 2 * p->page);
	if (status)
		errx(1, "%s: status %#x", dev->name, status);
	if (*data != NVME_VENDOR)
		errx(1, "%s: no data in memory", dev->name);
	nvme_enable(0);
}

static void use_edu(const struct device *dev, const struct pages *p)
{
	__u32 *word = (void *)p->memory;

	*word = STAMP;
	run_edu(p->iova, 0);
	*word = 0;
	run_edu(p->iova, 1);
	if (*word != STAMP)
		errx(1, "%s does not write to memory what it has read",
		     dev->name);
}

/* Devices are in the address space of @p; nothing may come to @others */
static void use(const struct device *devs, int count, const struct pages *p,
		const struct pages *others)
{
	size_t i;

	memset(others->memory, 0, PAGES * others->page);
	for (; count; count--, devs++) {
		bar = devs->vfio.bar;
		if (devs->nvme)
			use_nvme(devs, p);
		else
			use_edu(devs, p);
	}
	for (i = 0; i < PAGES * others->page; i++) {
		if (others->memory[i])
			errx(1, "a device writes to the other address space");
	}
}

/* Nothing is mapped; only an edu lives on after DMA that is denied */
static void use_in_vain(const struct device *devs, int count,
			const struct pages *p)
{
	__u32 *word = (void *)p->memory;

	for (; count; count--, devs++) {
		if (devs->nvme)
			continue;
		bar = devs->vfio.bar;
		*word = 0;
		run_edu(p->iova, 1);
		if (*word)
			errx(1, "%s writes to memory that was unmapped",
			     devs->name);
	}
}

int main(int argc, char **argv)
{
	struct device devs[MAX_DEVICES];
	int i, space, count = argc - 2;
	struct pages pages[2];
	__u32 ioas[2];

	if (count < 1 || count > MAX_DEVICES)
		errx(2, "see the head of vfio-dma.c");
	for (i = 0; i < count; i++) {
		devs[i].name = argv[2 + i];
		open_vfio(&devs[i].vfio, devs[i].name);
		devs[i].nvme = vendor_of(&devs[i].vfio) == NVME_VENDOR;
	}
	for (space = 0; space < 2; space++) {
		struct pages *p = &pages[space];

		p->page = getpagesize();
		p->iova = strtoull(argv[1], NULL, 0);
		p->memory = get_pages(PAGES * p->page);
		ioas[space] = alloc_ioas();
	}
	for (space = 0; space < 2; space++) {
		for (i = 0; i < count; i++)
			attach(&devs[i].vfio, ioas[space]);
		map(ioas[space], pages[space].memory, PAGES * pages[space].page,
		    pages[space].iova);
		use(devs, count, &pages[space], &pages[!space]);
	}

	unmap(ioas[1], pages[1].iova, PAGES * pages[1].page);
	use_in_vain(devs, count, &pages[1]);
	map(ioas[1], pages[1].memory, PAGES * pages[1].page, pages[1].iova);
	use(devs, count, &pages[1], &pages[0]);
	for (i = 0; i < count; i++)
		detach(&devs[i].vfio);
	use_in_vain(devs, count, &pages[1]);
	return 0;
}
