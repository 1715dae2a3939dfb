// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage-1 translation tables and context descriptors in guest RAM.
 */
#include <string.h>

#include "table.h"

/**
 * s1_lvl_shift() - What one entry of a table covers
 * @s: Tables
 * @level: Level of the table
 *
 * Return: Logarithm to base 2 of the bytes
 */
unsigned int s1_lvl_shift(const struct s1 *s, unsigned int level)
{
	return s->shift + (3 - level) * (s->shift - 3);
}

static __u64 take(struct s1 *s, __u64 len)
{
	__u64 gpa = (s->next + len - 1) & ~(len - 1);

	if (gpa + len > s->end) {
		s->failed = true;
		return 0;
	}
	memset(ram_va(s->v, gpa), 0, len);
	s->next = gpa + len;
	return gpa;
}

/**
 * s1_init() - An empty address space with a context descriptor
 * @s: Tables
 * @v: VMM
 * @gpa: Memory for tables
 * @len: Its length
 * @shift: Granule: 12, 14 or 16
 * @bits: Size of the input address space, 25 to 48
 * @asid: ASID
 *
 * The context descriptor is the first thing in the memory.
 */
void s1_init(struct s1 *s, struct vmm *v, __u64 gpa, __u64 len,
	     unsigned int shift, unsigned int bits, __u16 asid)
{
	unsigned int per_level = shift - 3;

	*s = (struct s1){
		.v = v, .next = gpa, .end = gpa + len, .shift = shift,
		.bits = bits, .asid = asid,
	};
	s->leaf = PTE_ATTR(0) | PTE_USER | PTE_SH(3) | PTE_AF | PTE_NG |
		  PTE_XN;
	s->start = 4 - (bits - shift + per_level - 1) / per_level;
	s->cd = take(s, CD_LEN);
	s->root = take(s, 1ULL << shift);
	s1_write_cd(s, s1_cd0(s));
}

/**
 * s1_usual() - Tables as Linux builds them: 4 KiB, 39 bits
 * @s: Tables
 * @v: VMM
 * @slot: Quarter of the memory for tables to use
 * @asid: ASID
 */
void s1_usual(struct s1 *s, struct vmm *v, unsigned int slot, __u16 asid)
{
	s1_init(s, v, TABLE_GPA + slot * (TABLE_LEN / 4), TABLE_LEN / 4, 12,
		39, asid);
}

/**
 * s1_entry() - Find the descriptor of an address
 * @s: Tables
 * @iova: Address
 * @level: Level of the table
 * @make: Make tables that are not there
 *
 * Return: The descriptor, or NULL if there is no table of that level or @level
 * is above the root
 */
__u64 *s1_entry(struct s1 *s, __u64 iova, unsigned int level, bool make)
{
	__u64 table = s->root, *e, index, d;
	unsigned int l;

	if (level < s->start)
		return NULL;
	for (l = s->start;; l++) {
		index = iova >> s1_lvl_shift(s, l);
		index &= (1ULL << (s->shift - 3)) - 1;
		e = (__u64 *)ram_va(s->v, table) + index;
		if (l == level)
			return e;
		d = le64toh(LOAD(e));
		if (d & PTE_VALID && !(d & PTE_TABLE))
			return NULL;
		if (d & PTE_VALID) {
			table = d & PTE_ADDR;
			continue;
		}
		table = make ? take(s, 1ULL << s->shift) : 0;
		if (!table)
			return NULL;
		STORE(e, htole64(table | PTE_VALID | PTE_TABLE));
	}
}

/**
 * s1_leaf() - A block or page descriptor
 * @s: Tables
 * @level: Level of its table
 * @gpa: Where it points, aligned to what the entry covers
 * @prot: MAP_R, or MAP_RW: stage 1 can't express write without read
 */
__u64 s1_leaf(const struct s1 *s, unsigned int level, __u64 gpa, __u32 prot)
{
	return gpa | s->leaf | PTE_VALID | (level == 3 ? PTE_TABLE : 0) |
	       (prot & MAP_W ? 0 : PTE_RDONLY);
}

/**
 * s1_map_leaf() - Make one leaf
 * @s: Tables
 * @iova: Where
 * @gpa: Guest-physical address
 * @level: Level of the table that it is put in
 * @prot: MAP_R or MAP_RW
 */
void s1_map_leaf(struct s1 *s, __u64 iova, __u64 gpa, unsigned int level,
		 __u32 prot)
{
	__u64 *e = s1_entry(s, iova, level, true);

	if (e)
		STORE(e, htole64(s1_leaf(s, level, gpa, prot)));
	else
		s->failed = true;
}

/**
 * s1_map() - Map pages
 * @s: Tables
 * @iova: Where
 * @gpa: Guest-physical address
 * @len: Bytes; all three are multiples of the granule
 * @prot: MAP_R or MAP_RW
 */
void s1_map(struct s1 *s, __u64 iova, __u64 gpa, __u64 len, __u32 prot)
{
	__u64 at;

	for (at = 0; at < len; at += 1ULL << s->shift)
		s1_map_leaf(s, iova + at, gpa + at, 3, prot);
}

/**
 * s1_clear() - Clear all leaves that lie in a range or reach into it; tables
 *		stay
 * @s: Tables
 * @iova: First address
 * @len: Bytes
 */
void s1_clear(struct s1 *s, __u64 iova, __u64 len)
{
	__u64 end = iova + len, *e = NULL, d;
	unsigned int level;

	while (iova < end) {
		for (level = s->start; level <= 3; level++) {
			e = s1_entry(s, iova, level, false);
			d = e ? le64toh(LOAD(e)) : 0;
			if (level == 3 || !(d & PTE_VALID) || !(d & PTE_TABLE))
				break;
		}
		if (e)
			STORE(e, 0);
		iova = (iova | ((1ULL << s1_lvl_shift(s, level)) - 1)) + 1;
	}
}

/**
 * s1_cd0() - Double word 0 of a context descriptor for these tables
 * @s: Tables
 */
__u64 s1_cd0(const struct s1 *s)
{
	unsigned int tg = s->shift == 12 ? 0 : s->shift == 16 ? 1 : 2;

	return CD0_T0SZ(64 - s->bits) | CD0_TG0(tg) | CD0_IR0(1) | CD0_OR0(1) |
	       CD0_SH0(3) | CD0_EPD1 | CD0_V | CD0_IPS(4) | CD0_AA64 | CD0_R |
	       CD0_A | CD0_ASET | CD0_ASID(s->asid);
}

/**
 * s1_write_cd() - Write the context descriptor
 * @s: Tables
 * @cd0: Its double word 0, see s1_cd0()
 *
 * Attribute 0 is write-back memory, attribute 1 is device memory.
 */
void s1_write_cd(struct s1 *s, __u64 cd0)
{
	__u64 *cd = ram_va(s->v, s->cd);

	STORE(&cd[1], htole64(s->root));
	STORE(&cd[2], 0);
	STORE(&cd[3], htole64(0x04ff));
	STORE(&cd[0], htole64(cd0));
}

/**
 * s1_ste0() - Double word 0 of a stream table entry for these tables
 * @s: Tables
 */
__u64 s1_ste0(const struct s1 *s)
{
	return STE0_V | STE0_CFG_S1 | s->cd;
}
