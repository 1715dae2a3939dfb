/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Table mode: what a guest that owns its page tables builds in its RAM, for an
 * Arm SMMUv3 (Arm IHI 0070: stream table entries and context descriptors; Arm
 * DDI 0487: translation tables), and the requests that go with it.
 */
#ifndef VHOST_IOMMU_TEST_TABLE_H
#define VHOST_IOMMU_TEST_TABLE_H

#include <linux/virtio_iommu_table.h>

#include "vit.h"

/* Stream table entry, double word 0 */
#define STE0_V			(1ULL << 0)
#define STE0_CFG(n)		((__u64)(n) << 1)
#define STE0_CFG_ABORT		STE0_CFG(0)
#define STE0_CFG_BYPASS		STE0_CFG(4)
#define STE0_CFG_S1		STE0_CFG(5)
#define STE0_S1FMT(n)		((__u64)(n) << 4)
#define STE0_CTXPTR		0x000fffffffffffc0ULL
#define STE0_S1CDMAX(n)		((__u64)(n) << 59)
#define STE0_BYPASS		(STE0_V | STE0_CFG_BYPASS)
#define STE0_ABORT		(STE0_V | STE0_CFG_ABORT)
/* Double word 1 */
#define STE1_S1DSS(n)		((__u64)(n) << 0)
#define STE1_S1CIR(n)		((__u64)(n) << 2)
#define STE1_S1COR(n)		((__u64)(n) << 4)
#define STE1_S1CSH(n)		((__u64)(n) << 6)
#define STE1_S1STALLD		(1ULL << 27)
#define STE1_EATS(n)		((__u64)(n) << 28)
/* Write-back cacheable, inner shareable: what a driver says */
#define STE1_USUAL		(STE1_S1CIR(1) | STE1_S1COR(1) | STE1_S1CSH(3))

/* ID registers */
#define IDR0_ATS		(1u << 10)
#define IDR1_SSIDSIZE(r)	((r) >> 6 & 0x1f)
#define IDR3_RIL		(1u << 10)
#define IDR5_GRAN4K		(1u << 4)
#define IDR5_GRAN16K		(1u << 5)
#define IDR5_GRAN64K		(1u << 6)

/* Context descriptor, double word 0 */
#define CD0_T0SZ(n)		((__u64)(n) << 0)
#define CD0_TG0(n)		((__u64)(n) << 6)
#define CD0_IR0(n)		((__u64)(n) << 8)
#define CD0_OR0(n)		((__u64)(n) << 10)
#define CD0_SH0(n)		((__u64)(n) << 12)
#define CD0_EPD0		(1ULL << 14)
#define CD0_EPD1		(1ULL << 30)
#define CD0_V			(1ULL << 31)
#define CD0_IPS(n)		((__u64)(n) << 32)
#define CD0_S			(1ULL << 44)
#define CD0_AA64		(1ULL << 41)
#define CD0_R			(1ULL << 45)
#define CD0_A			(1ULL << 46)
#define CD0_ASET		(1ULL << 47)
#define CD0_ASID(n)		((__u64)(n) << 48)
#define CD_LEN			64

/* Commands, by opcode */
#define CMD_CFGI_CD		0x05
#define CMD_CFGI_CD_ALL		0x06
#define CMD_TLBI_NH_ALL		0x10
#define CMD_TLBI_NH_ASID	0x11
#define CMD_TLBI_NH_VA		0x12
#define CMD_TLBI_NH_VAA		0x13
#define CMD_TLBI_NSNH_ALL	0x30
#define CMD_ATC_INV		0x40

/* Translation table descriptors */
#define PTE_VALID		(1ULL << 0)
/* A table, or at the last level a page */
#define PTE_TABLE		(1ULL << 1)
#define PTE_ATTR(n)		((__u64)(n) << 2)
#define PTE_USER		(1ULL << 6)
#define PTE_RDONLY		(1ULL << 7)
#define PTE_SH(n)		((__u64)(n) << 8)
#define PTE_AF			(1ULL << 10)
#define PTE_NG			(1ULL << 11)
#define PTE_XN			(3ULL << 53)
#define PTE_ADDR		0x0000fffffffff000ULL

/* The format of iommufd's selftest, as the module calls it */
#define FORMAT_SELFTEST		255

/* The VMM's number for the event queue of a vIOMMU */
#define NEST_EVENTQ(n)		((n)->handle + 0x1000)

/* nest.c: the host's objects for nesting, see struct nest */
int nest_open(struct vmm *v, struct dma_dev *d);
int vmm_add_eventq(struct vmm *v, const struct nest *n, int fd);
int vmm_remove_eventq(struct vmm *v, const struct nest *n);
int vmm_add_nest(struct vmm *v, const struct nest *n, int event_fd);
int vmm_remove_nest(struct vmm *v, const struct nest *n);
int vmm_add_viommu(struct vmm *v, int event_fd);
int vmm_remove_viommu(struct vmm *v);

/* s1.c: stage 1 of a guest */

/* Where tables, context descriptors and what a driver maps usually are */
#define TABLE_GPA		(RAM_GPA + MIB(8))
#define TABLE_LEN		(RAM_SIZE - RING_AREA - MIB(8))
/* Where the host has its doorbell; a guest maps it to itself */
#define MSI_WINDOW		0x08000000ULL
#define MSI_WINDOW_LEN		MIB(1)

/**
 * struct s1 - Tables of one address space
 * @v: VMM
 * @next: Guest-physical address of the next free table
 * @end: End of the memory for tables
 * @shift: Granule, as the logarithm to base 2: 12, 14 or 16
 * @bits: Size of the input address space
 * @start: Level of the root table
 * @root: Guest-physical address of the root table
 * @cd: That of the context descriptor
 * @asid: ASID in it
 * @leaf: Added to every leaf that is made, see PTE_*
 * @failed: A table was needed and there was no memory for it
 */
struct s1 {
	struct vmm *v;
	__u64 next;
	__u64 end;
	unsigned int shift;
	unsigned int bits;
	unsigned int start;
	__u64 root;
	__u64 cd;
	__u16 asid;
	__u64 leaf;
	bool failed;
};

void s1_init(struct s1 *s, struct vmm *v, __u64 gpa, __u64 len,
	     unsigned int shift, unsigned int bits, __u16 asid);
void s1_usual(struct s1 *s, struct vmm *v, unsigned int slot, __u16 asid);
unsigned int s1_lvl_shift(const struct s1 *s, unsigned int level);
__u64 *s1_entry(struct s1 *s, __u64 iova, unsigned int level, bool make);
__u64 s1_leaf(const struct s1 *s, unsigned int level, __u64 gpa, __u32 prot);
void s1_map_leaf(struct s1 *s, __u64 iova, __u64 gpa, unsigned int level,
		 __u32 prot);
void s1_map(struct s1 *s, __u64 iova, __u64 gpa, __u64 len, __u32 prot);
void s1_clear(struct s1 *s, __u64 iova, __u64 len);
__u64 s1_cd0(const struct s1 *s);
void s1_write_cd(struct s1 *s, __u64 cd0);
__u64 s1_ste0(const struct s1 *s);

/* table.c: requests of table mode */
struct virtio_iommu_req_attach_table_arm
attach_table_req(__u32 domain, __u32 ep, __u64 ste0, __u64 ste1);
int g_attach_table(struct vmm *v, __u32 domain, __u32 ep, __u64 ste0,
		   __u64 ste1);
int g_attach_s1(struct vmm *v, __u32 domain, __u32 ep, const struct s1 *s);
int attach_table_raw(struct vmm *v,
		     const struct virtio_iommu_req_attach_table_arm *r);

struct virtio_iommu_req_invalidate inv_domain(__u32 domain, __u8 caches);
struct virtio_iommu_req_invalidate inv_asid(__u32 domain, __u16 asid);
struct virtio_iommu_req_invalidate inv_range(__u32 domain, __u16 asid,
					     __u64 iova, __u64 nr,
					     __u8 page_size, __u16 flags);
int g_inv(struct vmm *v, struct virtio_iommu_req_invalidate r);
int g_inv_add(struct vmm *v, struct virtio_iommu_req_invalidate r);
int env_table_driver(struct env *e, unsigned int i, struct s1 *s);

/* cmds.c: the commands that an IOMMU was given */
bool cmds_known(struct env *e, struct dma_dev *d);
void cmds_mark(struct env *e, struct dma_dev *d);
char *cmds_seq(struct env *e, struct dma_dev *d, char *buf, size_t len);
unsigned int cmds_ranges(struct env *e, struct dma_dev *d,
			 struct trace_range *r, unsigned int max);

/* The event queue */
void g_events_post(struct vmm *v, unsigned int n);
int g_event(struct vmm *v, struct virtio_iommu_fault_pasid *f,
	    unsigned int timeout_ms);

#endif /* VHOST_IOMMU_TEST_TABLE_H */
