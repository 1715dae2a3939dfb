// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nesting on mock IOMMUs without vhost-iommu; see mock_guest.h.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "mock_guest.h"

static struct dma_dev *find(struct mg *g, const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(g->all); i++)
		if (!strcmp(g->all[i].name, name))
			return &g->all[i];
	return NULL;
}

/**
 * mg_open() - Find and open the devices, and make RAM
 * @g: Is initialised
 *
 * Return: 0, -ENODEV if there are not all of the devices, or another negative
 * errno
 */
int mg_open(struct mg *g)
{
	unsigned int i;
	int rc;

	memset(g, 0, sizeof(*g));
	g->event_fd = -1;
	vmm_init(&g->v);
	dev_find(DEV_MOCK, g->all, ARRAY_SIZE(g->all));
	g->d[0] = find(g, "dma0");
	g->d[1] = find(g, "dma1");
	g->far = find(g, "dma4");
	if (!g->d[0] || !g->d[1] || !g->far)
		return -ENODEV;
	rc = vmm_open_iommufd(&g->v);
	if (!rc)
		rc = vmm_add_ram(&g->v, RAM_GPA, RAM_SIZE);
	if (rc)
		return rc;
	for (i = 0; i < NR_DATA; i++) {
		fill(ram_va(&g->v, DATA(i)), i, PAGE);
		*(__u64 *)ram_va(&g->v, DATA(i)) = i;
	}
	return mg_open_devices(g);
}

/**
 * mg_open_devices() - Open the devices
 * @g: After mg_open(), which does it, and mg_close_devices()
 */
int mg_open_devices(struct mg *g)
{
	int rc = dev_open(g->d[0], &g->v);

	if (!rc)
		rc = dev_open(g->d[1], &g->v);
	return rc ? rc : dev_open(g->far, &g->v);
}

/**
 * mg_close_devices() - Close the devices
 * @g: After mg_open()
 */
void mg_close_devices(struct mg *g)
{
	if (!g->far)
		return;
	dev_close(g->d[0]);
	dev_close(g->d[1]);
	dev_close(g->far);
}

/**
 * mg_close() - Undo mg_open()
 * @g: After mg_open(), also if that failed
 */
void mg_close(struct mg *g)
{
	mg_close_devices(g);
	vmm_close(&g->v);
}

/**
 * mg_up() - Everything that a guest with two empty address spaces needs
 * @g: After mg_open()
 * @c: Configuration of the IOMMU, NULL for the usual one
 *
 * Nothing is attached. If the IOMMU has ATS, so have the devices.
 */
int mg_up(struct mg *g, const struct vhost_iommu_mock_config *c)
{
	struct vhost_iommu_mock_config usual;
	unsigned int i;
	int rc;

	mock_config_init(&usual);
	c = c ? c : &usual;
	rc = mock_config(g->d[0], c);
	if (!rc)
		rc = mg_parent(g, g->d[0], &g->parent);
	g->vtype = ARM;
	if (!rc)
		rc = mg_viommu(g, g->d[0], g->parent, ARM, &g->viommu);
	g->next_table = TABLES_GPA;
	for (i = 0; !rc && i < 2; i++) {
		g->root[i] = mg_table(g);
		mg_cd(g, CD_GPA(i), i, ASID(i));
		rc = mg_vdevice(g, g->viommu, g->d[i], VIRT_ID(i), &g->vdev[i]);
		if (!rc)
			rc = mg_ste(g, g->d[i], g->viommu, mg_ste0(g, i),
				    c->idr[0] & VHOST_IOMMU_MOCK_IDR0_ATS ?
				    STE1_EATS : 0, &g->nested[i]);
	}
	return rc;
}

static void destroy(struct mg *g, __u32 *id)
{
	if (*id)
		vmm_destroy(&g->v, *id);
	*id = 0;
}

/**
 * mg_down() - Undo mg_up()
 * @g: After mg_up(), also if that failed, or was not called
 */
void mg_down(struct mg *g)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (g->d[i] && g->d[i]->fd >= 0) {
			dev_detach(g->d[i]);
			mock_pasid(g->d[i], 0);
			mock_open(g->d[i]);
		}
		destroy(g, &g->nested[i]);
		destroy(g, &g->vdev[i]);
	}
	destroy(g, &g->extra);
	if (g->event_fd >= 0)
		close(g->event_fd);
	g->event_fd = -1;
	destroy(g, &g->veventq);
	destroy(g, &g->viommu);
	destroy(g, &g->parent);
}

/**
 * mg_hwpt() - Make a page table
 * @g: Guest
 * @d: Device that it is for
 * @pt: IOAS or vIOMMU
 * @flags: IOMMU_HWPT_ALLOC_*
 * @type: IOMMU_HWPT_DATA_*
 * @data: Data of that type
 * @len: Its length
 * @id: Set to the ID if there is no error
 */
int mg_hwpt(struct mg *g, struct dma_dev *d, __u32 pt, __u32 flags, __u32 type,
	    const void *data, __u32 len, __u32 *id)
{
	struct iommu_hwpt_alloc a = {
		.size = sizeof(a), .flags = flags, .dev_id = d->dev_id,
		.pt_id = pt, .data_type = type, .data_len = len,
		.data_uptr = (__u64)(uintptr_t)data,
	};
	int rc = xioctl(g->v.iommufd, IOMMU_HWPT_ALLOC, &a);

	if (!rc)
		*id = a.out_hwpt_id;
	return rc;
}

/**
 * mg_parent() - Make a nesting parent over RAM
 * @g: Guest
 * @d: Device whose IOMMU it is for
 * @id: Set to the ID if there is no error
 */
int mg_parent(struct mg *g, struct dma_dev *d, __u32 *id)
{
	return mg_hwpt(g, d, g->v.ram_ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
		       IOMMU_HWPT_DATA_NONE, NULL, 0, id);
}

/**
 * mg_viommu() - Make a vIOMMU
 * @g: Guest
 * @d: Device whose IOMMU it is a slice of
 * @parent: Nesting parent
 * @type: Type
 * @id: Set to the ID if there is no error
 */
int mg_viommu(struct mg *g, struct dma_dev *d, __u32 parent, __u32 type,
	      __u32 *id)
{
	struct iommu_viommu_alloc a = {
		.size = sizeof(a), .type = type, .dev_id = d->dev_id,
		.hwpt_id = parent,
	};
	int rc = xioctl(g->v.iommufd, IOMMU_VIOMMU_ALLOC, &a);

	if (!rc)
		*id = a.out_viommu_id;
	return rc;
}

/**
 * mg_vdevice() - Make a vDEVICE
 * @g: Guest
 * @viommu: vIOMMU
 * @d: Device
 * @virt_id: Its ID in the vIOMMU
 * @id: Set to the ID if there is no error
 */
int mg_vdevice(struct mg *g, __u32 viommu, struct dma_dev *d, __u64 virt_id,
	       __u32 *id)
{
	struct iommu_vdevice_alloc a = {
		.size = sizeof(a), .viommu_id = viommu, .dev_id = d->dev_id,
		.virt_id = virt_id,
	};
	int rc = xioctl(g->v.iommufd, IOMMU_VDEVICE_ALLOC, &a);

	if (!rc)
		*id = a.out_vdevice_id;
	return rc;
}

/**
 * mg_ste() - Make a page table of a stream table entry
 * @g: Guest
 * @d: Device that it is for
 * @viommu: vIOMMU
 * @ste0: First double word
 * @ste1: Second double word
 * @id: Set to the ID if there is no error
 */
int mg_ste(struct mg *g, struct dma_dev *d, __u32 viommu, __u64 ste0,
	   __u64 ste1, __u32 *id)
{
	const struct iommu_hwpt_arm_smmuv3 data = {
		.ste = { htole64(ste0), htole64(ste1) },
	};

	return mg_hwpt(g, d, viommu, 0, IOMMU_HWPT_DATA_ARM_SMMUV3, &data,
		       sizeof(data), id);
}

/**
 * mg_events() - Make an event queue
 * @g: Guest, with a vIOMMU and no event queue
 * @depth: Events that it has room for
 */
int mg_events(struct mg *g, __u32 depth)
{
	struct iommu_veventq_alloc a = {
		.size = sizeof(a), .viommu_id = g->viommu,
		.type = g->vtype == ARM ? IOMMU_VEVENTQ_TYPE_ARM_SMMUV3
					: IOMMU_VEVENTQ_TYPE_SELFTEST,
		.veventq_depth = depth,
	};
	int rc = xioctl(g->v.iommufd, IOMMU_VEVENTQ_ALLOC, &a);

	if (rc)
		return rc;
	g->veventq = a.out_veventq_id;
	g->event_fd = a.out_veventq_fd;
	return 0;
}

/**
 * mg_event() - Take an event
 * @g: Guest, after mg_events()
 * @e: Is filled; may be NULL
 *
 * Return: 1, 0 if there is none, or a negative errno
 */
int mg_event(struct mg *g, struct mg_event *e)
{
	struct mg_event any;
	size_t len = offsetof(struct mg_event, evt) +
		     (g->vtype == ARM ? sizeof(any.evt)
				      : sizeof(struct iommu_viommu_event_selftest));
	ssize_t n;
	int i;

	e = e ? e : &any;
	memset(e, 0, sizeof(*e));
	n = read(g->event_fd, e, len);
	for (i = 0; i < 4; i++)
		e->evt[i] = le64toh(e->evt[i]);
	return n < 0 ? -errno : !!n;
}

/**
 * mg_inv() - IOMMU_HWPT_INVALIDATE
 * @g: Guest
 * @id: vIOMMU
 * @type: IOMMU_VIOMMU_INVALIDATE_DATA_*
 * @cmds: Commands
 * @len: Size of one
 * @num: Number of commands; set to what the kernel says
 */
int mg_inv(struct mg *g, __u32 id, __u32 type, const void *cmds, __u32 len,
	   __u32 *num)
{
	struct iommu_hwpt_invalidate i = {
		.size = sizeof(i), .hwpt_id = id, .data_type = type,
		.data_uptr = (__u64)(uintptr_t)cmds, .entry_len = len,
		.entry_num = *num,
	};
	int rc = xioctl(g->v.iommufd, IOMMU_HWPT_INVALIDATE, &i);

	*num = i.entry_num;
	return rc;
}

/**
 * mg_cmd() - One command
 * @g: Guest
 * @word0: First double word
 * @word1: Second double word
 */
int mg_cmd(struct mg *g, __u64 word0, __u64 word1)
{
	const __u64 cmd[2] = { htole64(word0), htole64(word1) };
	__u32 num = 1;

	return mg_inv(g, g->viommu, ARM_INV, cmd, sizeof(cmd), &num);
}

/**
 * mg_ste0() - First double word of the stream table entry of a device
 * @g: Guest
 * @i: Device
 */
__u64 mg_ste0(struct mg *g, unsigned int i)
{
	return STE0_V | STE0_S1 | CD_GPA(i);
}

/**
 * mg_cd() - Write a context descriptor
 * @g: Guest
 * @gpa: Where
 * @i: Device whose tables it has
 * @asid: ASID
 */
void mg_cd(struct mg *g, __u64 gpa, unsigned int i, __u64 asid)
{
	__u64 *cd = ram_va(&g->v, gpa);

	memset(cd, 0, 64);
	cd[1] = htole64(g->root[i]);
	/* 39 bits, no TTB1, V, 48 bits of output, AArch64, record and abort */
	cd[0] = htole64(25 | 1ULL << 30 | 1ULL << 31 | 5ULL << 32 | 1ULL << 41 |
			3ULL << 45 | asid << 48);
}

/**
 * mg_table() - Take memory for a table
 * @g: Guest
 *
 * Return: Guest-physical address
 */
__u64 mg_table(struct mg *g)
{
	__u64 gpa = g->next_table;

	g->next_table += PAGE;
	memset(ram_va(&g->v, gpa), 0, PAGE);
	return gpa;
}

/**
 * mg_entry() - Find a table entry, making tables on the way
 * @g: Guest
 * @i: Device
 * @iova: Address
 * @level: Level, 1 to 3
 */
__u64 *mg_entry(struct mg *g, unsigned int i, __u64 iova, unsigned int level)
{
	__u64 table = g->root[i];
	unsigned int l;
	__u64 *e;

	for (l = 1;; l++) {
		e = ram_va(&g->v, table);
		e += iova >> (12 + 9 * (3 - l)) & 511;
		if (l == level)
			return e;
		if (!*e)
			*e = htole64(mg_table(g) | PTE_TABLE | PTE_VALID);
		table = le64toh(*e) & 0xfffffffff000ULL;
	}
}

/**
 * mg_map() - Write a table entry that maps something; nothing is invalidated
 * @g: Guest
 * @i: Device
 * @iova: Address
 * @gpa: Guest-physical address
 * @level: Level of the entry
 * @bits: Bits to flip in what is usual
 */
void mg_map(struct mg *g, unsigned int i, __u64 iova, __u64 gpa,
	    unsigned int level, __u64 bits)
{
	__u64 pte = gpa | PTE_VALID | PTE_USER | PTE_AF | PTE_NG;

	if (level == 3)
		pte |= PTE_TABLE;
	STORE(mg_entry(g, i, iova, level), htole64(pte ^ bits));
}

/**
 * mg_buffer() - Read what a device has read
 * @g: Guest
 * @i: Device
 * @buf: Is filled
 * @len: Bytes
 */
void mg_buffer(struct mg *g, unsigned int i, void *buf, __u32 len)
{
	struct dma_dev *d = g->d[i];
	__u64 region;

	memset(buf, 0xff, len);
	if (!dev_region(d, VHOST_IOMMU_MOCK_REGION_DMA, &region, NULL) &&
	    pread(d->fd, buf, len, region + VHOST_IOMMU_MOCK_WINDOW) < 0)
		memset(buf, 0xff, len);
}

/**
 * mg_see() - Which page a device finds at an address
 * @g: Guest
 * @i: Device
 * @iova: Address in the page
 *
 * Return: Number of the page, or a negative VHOST_IOMMU_MOCK_DMA_*
 */
int mg_see(struct mg *g, unsigned int i, __u64 iova)
{
	__u64 page;

	if (dev_load(g->d[i], iova, sizeof(page)))
		return -VHOST_IOMMU_MOCK_DMA_BAD_CMD;
	if (g->d[i]->status)
		return -(int)g->d[i]->status;
	mg_buffer(g, i, &page, sizeof(page));
	return page;
}
