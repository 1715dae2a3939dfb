// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM with devices, ready for requests.
 */
#include <errno.h>
#include <string.h>

#include "table.h"

/**
 * env_init() - Default values; what is in @e->v can be changed afterwards
 * @e: Environment
 * @kind: Kind of the endpoints
 */
void env_init(struct env *e, enum dev_kind kind)
{
	memset(e, 0, sizeof(*e));
	vmm_init(&e->v);
	e->kind = kind;
	e->trace.fd = -1;
}

/**
 * env_init_table() - Default values for table mode: what MAP and UNMAP do is
 *		      offered, too
 * @e: Environment
 * @kind: Kind of the endpoints
 */
void env_init_table(struct env *e, enum dev_kind kind)
{
	env_init(e, kind);
	e->v.table = kind != DEV_NONE;
	vmm_propose_tables(&e->v);
}

static bool group_taken(struct env *e, int group)
{
	unsigned int i;

	for (i = 0; i < e->nr; i++)
		if (e->dev[i]->group == group)
			return true;
	return false;
}

static int pick(struct env *e, unsigned int nr, bool one_group)
{
	int i, j;

	if (!one_group) {
		for (i = 0; i < e->nr_all && e->nr < nr; i++)
			if (!group_taken(e, e->all[i].group))
				e->dev[e->nr++] = &e->all[i];
		return e->nr == nr;
	}
	for (i = 0; i < e->nr_all && e->nr < nr; i++) {
		e->nr = 0;
		for (j = i; j < e->nr_all && e->nr < nr; j++)
			if (e->all[j].group == e->all[i].group)
				e->dev[e->nr++] = &e->all[j];
	}
	return e->nr == nr;
}

/*
 * The SMMU's driver moves all devices of a group to a table of the guest, and
 * wants each to have a vDEVICE, also those that are no endpoints.
 */
static int open_mates(struct env *e)
{
	unsigned int i, nr = e->nr;
	int rc = 0, k;

	for (k = 0; !rc && k < e->nr_all; k++) {
		if (!group_taken(e, e->all[k].group))
			continue;
		for (i = 0; i < nr && e->dev[i] != &e->all[k]; i++)
			;
		if (i == nr)
			rc = dev_open(&e->all[k], &e->v);
	}
	return rc;
}

/**
 * env_open() - Everything up to adding endpoints
 * @e: Environment, after env_init()
 * @nr: Number of endpoints
 * @one_group: The devices have to share an IOMMU group; otherwise no two do
 *
 * Return: 0, a negative errno, or -ENODEV with @e->skip set if there are not
 * enough devices
 */
int env_open(struct env *e, unsigned int nr, bool one_group)
{
	unsigned int i;
	int rc;

	if (e->kind == DEV_NONE) {
		e->nr = nr;
		rc = vmm_prepare(&e->v, false);
		if (!rc)
			rc = vmm_add_ram(&e->v, LOW_GPA, LOW_SIZE);
		return rc ? rc : vmm_set_mem_table(&e->v);
	}
	e->nr_all = dev_find(e->kind, e->all, ARRAY_SIZE(e->all));
	if (!pick(e, nr, one_group)) {
		e->nr = 0;
		if (!e->nr_all)
			snprintf(e->skip, sizeof(e->skip), "%s",
				 dev_missing(e->kind));
		else
			snprintf(e->skip, sizeof(e->skip),
				 "needs %u devices %s, %d device(s) found", nr,
				 one_group ? "in one IOMMU group"
					   : "in IOMMU groups of their own",
				 e->nr_all);
		return -ENODEV;
	}
	trace_open(&e->trace);
	rc = vmm_prepare(&e->v, true);
	if (!rc)
		rc = vmm_add_ram(&e->v, LOW_GPA, LOW_SIZE);
	if (!rc)
		rc = vmm_set_mem_table(&e->v);
	for (i = 0; !rc && i < e->nr; i++)
		rc = dev_open(e->dev[i], &e->v);
	if (!rc && e->v.table)
		rc = open_mates(e);
	if (rc == -EOPNOTSUPP && e->v.table) {
		snprintf(e->skip, sizeof(e->skip),
			 "the host can't nest tables for %s", e->dev[0]->name);
		return -ENODEV;
	}
	if (!rc && e->v.table)
		rc = vmm_add_viommu(&e->v, e->v.nest.event_fd);
	if (!rc && e->v.far.viommu)
		rc = vmm_add_nest(&e->v, &e->v.far, e->v.far.event_fd);
	return rc;
}

/**
 * env_add() - Add the endpoints, each in a group of its own, and start
 * @e: Environment, after env_open()
 */
int env_add(struct env *e)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < e->nr; i++)
		rc = vmm_add_endpoint(&e->v, EP(i), e->dev[i], -1, NULL, 0);
	return rc ? rc : vmm_start(&e->v);
}

/**
 * env_up() - env_open() and env_add()
 * @e: Environment, after env_init()
 * @nr: Number of endpoints
 */
int env_up(struct env *e, unsigned int nr)
{
	int rc = env_open(e, nr, false);

	return rc ? rc : env_add(e);
}

/**
 * env_down() - Close everything, in the order of an orderly VMM
 * @e: Environment
 */
void env_down(struct env *e)
{
	unsigned int i;
	int k;

	if (e->v.fd >= 0) {
		/* Errors are fine: a test may have left it in any state */
		vmm_set_running(&e->v, false);
		vmm_reset(&e->v);
		for (i = 0; i < e->nr; i++)
			vmm_remove_endpoint(&e->v, EP(i));
		if (e->v.table)
			vmm_remove_viommu(&e->v);
		if (e->v.far.viommu)
			vmm_remove_nest(&e->v, &e->v.far);
	}
	for (k = 0; k < e->nr_all; k++)
		dev_close(&e->all[k]);
	trace_close(&e->trace);
	vmm_close(&e->v);
}

/**
 * env_driver() - Start the driver of a device that needs memory for it
 * @e: Environment
 * @i: Endpoint index
 * @domain: Domain that it is attached to; ~0 in bypass
 *
 * The memory is at the end of the low region.
 */
int env_driver(struct env *e, unsigned int i, __u32 domain)
{
	struct dma_dev *d = e->dev[i];
	__u64 gpa, iova;
	int rc;

	if (!d || !d->drv_len)
		return 0;
	gpa = LOW_GPA + LOW_SIZE - (i + 1) * d->drv_len;
	iova = domain == ~0u ? gpa : DRV_IOVA + i * d->drv_len;
	if (domain != ~0u) {
		rc = g_map(&e->v, domain, iova, iova + d->drv_len - 1, gpa,
			   MAP_RW);
		if (rc)
			return rc > 0 ? -EIO : rc;
	}
	return dev_start(d, ram_va(&e->v, gpa), iova);
}

/**
 * fill() - Fill memory with a pattern in which every byte depends on its place
 * @p: Memory
 * @seed: Pattern
 * @len: Bytes
 */
void fill(void *p, __u8 seed, size_t len)
{
	__u8 *b = p;
	size_t i;

	for (i = 0; i < len; i++)
		b[i] = seed ^ (i * 7) ^ (i >> 8);
}

/**
 * filled() - Whether memory holds that pattern
 * @p: Memory
 * @seed: Pattern
 * @len: Bytes
 */
bool filled(const void *p, __u8 seed, size_t len)
{
	const __u8 *b = p;
	size_t i;

	for (i = 0; i < len; i++)
		if (LOAD(&b[i]) != (__u8)(seed ^ (i * 7) ^ (i >> 8)))
			return false;
	return true;
}
