/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nesting on mock IOMMUs without vhost-iommu, for the tests of the mock itself:
 * two devices of one guest, with tables of 4 KiB granules and 39 bits.
 */
#ifndef VHOST_IOMMU_TEST_MOCK_GUEST_H
#define VHOST_IOMMU_TEST_MOCK_GUEST_H

#include "iommufd_test.h"
#include "vit.h"

/* Types of vIOMMUs and commands, by shorter names */
#define ARM		IOMMU_VIOMMU_TYPE_ARM_SMMUV3
#define SELFTEST	IOMMU_VIOMMU_TYPE_SELFTEST
#define ARM_INV		IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3
#define SELFTEST_INV	IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST

/* Pages of RAM; each begins with its number */
#define DATA(n)		(RAM_GPA + (__u64)(n) * PAGE)
#define NR_DATA		1024
/* Context descriptors: one for each device, and memory for a table of them */
#define CD_GPA(i)	(RAM_GPA + MIB(8) + (i) * 64)
#define CDS_GPA		(RAM_GPA + MIB(8) + PAGE)
/* Translation tables */
#define TABLES_GPA	(RAM_GPA + MIB(9))

/* ASID and virtual ID of a device */
#define ASID(i)		(1ULL + (i))
#define VIRT_ID(i)	(0x20ULL + (i))

#define STE0_V		1ULL
#define STE0_BYPASS	(4ULL << 1)
#define STE0_S1		(5ULL << 1)
#define STE1_EATS	(1ULL << 28)

#define PTE_VALID	(1ULL << 0)
#define PTE_TABLE	(1ULL << 1)
#define PTE_USER	(1ULL << 6)
#define PTE_RDONLY	(1ULL << 7)
#define PTE_AF		(1ULL << 10)
#define PTE_NG		(1ULL << 11)
/* A page, before anything else about it */
#define PTE_LEAF3	(PTE_VALID | PTE_TABLE)

/* Commands, by opcode */
#define CMD_CFGI	0x05ULL
#define CMD_CFGI_ALL	0x06ULL
#define CMD_ALL		0x10ULL
#define CMD_ASID	0x11ULL
#define CMD_VA		0x12ULL
#define CMD_VAA		0x13ULL
#define CMD_NSNH	0x30ULL
#define CMD_ATC		0x40ULL

/**
 * struct mg - Two devices behind one mock IOMMU, and one behind another
 * @v: The VMM, without a vhost-iommu
 * @all: All mock devices
 * @d: The two
 * @far: The other
 * @vtype: Type of @viommu
 * @parent: Nesting parent over RAM
 * @viommu: vIOMMU
 * @vdev: vDEVICEs of @d
 * @nested: Page tables of @d
 * @extra: Another object, destroyed before @viommu
 * @veventq: Event queue
 * @event_fd: Its file, or -1
 * @root: Guest-physical addresses of the root tables
 * @next_table: The next free table
 * @no_ats: What IOMMU_GET_HW_INFO said last
 */
struct mg {
	struct vmm v;
	struct dma_dev all[16];
	struct dma_dev *d[2];
	struct dma_dev *far;
	__u32 vtype;
	__u32 parent;
	__u32 viommu;
	__u32 vdev[2];
	__u32 nested[2];
	__u32 extra;
	__u32 veventq;
	int event_fd;
	__u64 root[2];
	__u64 next_table;
	bool no_ats;
};

/**
 * struct mg_event - What an event queue returns
 * @flags: IOMMU_VEVENTQ_FLAG_*
 * @sequence: Number
 * @evt: The record
 */
struct mg_event {
	__u32 flags;
	__u32 sequence;
	__u64 evt[4];
};

int mg_open(struct mg *g);
void mg_close(struct mg *g);
int mg_open_devices(struct mg *g);
void mg_close_devices(struct mg *g);
int mg_up(struct mg *g, const struct vhost_iommu_mock_config *c);
void mg_down(struct mg *g);

int mg_hwpt(struct mg *g, struct dma_dev *d, __u32 pt, __u32 flags, __u32 type,
	    const void *data, __u32 len, __u32 *id);
int mg_parent(struct mg *g, struct dma_dev *d, __u32 *id);
int mg_viommu(struct mg *g, struct dma_dev *d, __u32 parent, __u32 type,
	      __u32 *id);
int mg_vdevice(struct mg *g, __u32 viommu, struct dma_dev *d, __u64 virt_id,
	       __u32 *id);
int mg_ste(struct mg *g, struct dma_dev *d, __u32 viommu, __u64 ste0,
	   __u64 ste1, __u32 *id);
int mg_events(struct mg *g, __u32 depth);
int mg_event(struct mg *g, struct mg_event *e);
int mg_inv(struct mg *g, __u32 id, __u32 type, const void *cmds, __u32 len,
	   __u32 *num);
int mg_cmd(struct mg *g, __u64 word0, __u64 word1);

__u64 mg_ste0(struct mg *g, unsigned int i);
void mg_cd(struct mg *g, __u64 gpa, unsigned int i, __u64 asid);
__u64 mg_table(struct mg *g);
__u64 *mg_entry(struct mg *g, unsigned int i, __u64 iova, unsigned int level);
void mg_map(struct mg *g, unsigned int i, __u64 iova, __u64 gpa,
	    unsigned int level, __u64 bits);
void mg_buffer(struct mg *g, unsigned int i, void *buf, __u32 len);
int mg_see(struct mg *g, unsigned int i, __u64 iova);

#endif /* VHOST_IOMMU_TEST_MOCK_GUEST_H */
