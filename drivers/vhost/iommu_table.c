// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: tables of the guest: invalidation
 *
 * A run of INVALIDATE requests is carried out together, in three phases:
 * context descriptors, TLBs, caches of endpoints. The host waits for the
 * hardware at the end of each array of commands and nowhere else, and a TLB
 * that is emptied before the context descriptor was re-read may be filled from
 * the old one again: so a phase begins when the one before it has ended.
 *
 * TLB entries are tagged by the nesting parent, so TLB commands go once to each
 * parent; the other phases to each endpoint's own vIOMMU.
 */
#include <linux/bitops.h>

#include "iommu.h"

/**
 * enum vhost_iommu_phase - Kind of caches
 * @VHOST_IOMMU_PHASE_CONTEXT: Context descriptors
 * @VHOST_IOMMU_PHASE_TLB: TLBs
 * @VHOST_IOMMU_PHASE_DEVICE: Caches of endpoints
 * @VHOST_IOMMU_NR_PHASES: Number of phases
 */
enum vhost_iommu_phase {
	VHOST_IOMMU_PHASE_CONTEXT,
	VHOST_IOMMU_PHASE_TLB,
	VHOST_IOMMU_PHASE_DEVICE,
	VHOST_IOMMU_NR_PHASES,
};

/* @before is the one that came before @p, or NULL: mostly they are of one domain */
static u8 vhost_iommu_inv_check(struct vhost_iommu *viommu,
				struct vhost_iommu_pending *p,
				const struct vhost_iommu_pending *before)
{
	unsigned long nests;
	unsigned int i;

	if (before && before->req.domain == p->req.domain)
		p->domain = before->domain;
	else
		p->domain = xa_load(&viommu->domains, p->req.domain);
	if (!p->domain)
		return VIRTIO_IOMMU_S_NOENT;
	if (p->domain->kind != VHOST_IOMMU_TABLE)
		return VIRTIO_IOMMU_S_INVAL;
	nests = p->domain->nests;
	for_each_set_bit(i, &nests, VHOST_IOMMU_MAX_VIOMMUS) {
		const struct vhost_iommu_nest *nest = viommu->nests[i];
		u8 status = nest->format->check(&nest->hw, &p->req);

		if (status != VIRTIO_IOMMU_S_OK)
			return status;
	}
	return VIRTIO_IOMMU_S_OK;
}

/* Hand over full arrays, or all that is left */
static int vhost_iommu_inv_issue(const struct vhost_iommu_caller *by,
				 const struct vhost_iommu_nest *nest, bool all)
{
	struct vhost_iommu_rq *rq = by->rq;
	struct vhost_iommu_cmds *cmds = &rq->cmds;
	unsigned int nr;
	int rc = 0;

	while (cmds->nr && !rc) {
		nr = min(cmds->nr, VHOST_IOMMU_CALL_CMDS);
		if (nr < VHOST_IOMMU_CALL_CMDS && !all)
			break;
		rq->count.inv_commands += nr;
		rq->count.inv_calls++;
		rc = vhost_iommu_host_invalidate(rq->viommu, nest, cmds->cmd,
						 nr, by);
		cmds->nr -= nr;
		memmove(cmds->cmd, cmds->cmd + nr,
			cmds->nr * sizeof(cmds->cmd[0]));
	}
	return rc;
}

/* There is always room for what one request is made of */
static int vhost_iommu_inv_issue_full(const struct vhost_iommu_caller *by,
				      const struct vhost_iommu_nest *nest)
{
	return by->rq->cmds.nr < VHOST_IOMMU_CALL_CMDS ? 0 :
	       vhost_iommu_inv_issue(by, nest, false);
}

static int vhost_iommu_inv_tlb(const struct vhost_iommu_caller *by,
			       const struct vhost_iommu_nest *nest,
			       unsigned int nr)
{
	const struct vhost_iommu_format *format = nest->format;
	struct vhost_iommu_rq *rq = by->rq;
	unsigned int i;
	int rc = 0;

	nr = vhost_iommu_inv_merge(rq->inv, nr);
	for (i = 0; i < nr && !rc; i++) {
		format->tlb_commands(&nest->hw, &rq->inv[i], &rq->cmds);
		rc = vhost_iommu_inv_issue_full(by, nest);
	}
	return rc;
}

static int vhost_iommu_inv_endpoint(const struct vhost_iommu_caller *by,
				    const struct vhost_iommu_nest *nest,
				    const struct vhost_iommu_pending *p,
				    const struct vhost_iommu_endpoint *ep,
				    enum vhost_iommu_phase phase)
{
	const struct vhost_iommu_format *format = nest->format;
	struct vhost_iommu_cmds *cmds = &by->rq->cmds;

	if (phase == VHOST_IOMMU_PHASE_CONTEXT)
		format->context(&p->req, ep->virt_id, cmds);
	else
		format->device(&p->req, ep->virt_id,
			       ep->ats && ep->group->table_ats, ep->pasid_bits,
			       cmds);
	return vhost_iommu_inv_issue_full(by, nest);
}

/* Once for each group that has members in a domain: at the first of them */
static bool vhost_iommu_inv_is_first(const struct vhost_iommu_endpoint *ep)
{
	const struct vhost_iommu_endpoint *first;

	list_for_each_entry(first, &ep->group->endpoints, group_node)
		if (first->domain == ep->domain)
			break;
	return first == ep;
}

/*
 * All devices of a group walk the tables of its domain, whether they are in it or
 * not, and one that joins later finds what it has cached by then.
 */
static int vhost_iommu_inv_endpoints(const struct vhost_iommu_caller *by,
				     const struct vhost_iommu_nest *nest,
				     const struct vhost_iommu_pending *p,
				     enum vhost_iommu_phase phase)
{
	struct vhost_iommu_endpoint *ep, *device;
	int rc;

	list_for_each_entry(ep, &p->domain->endpoints, domain_node) {
		if (ep->nest != nest || !vhost_iommu_inv_is_first(ep))
			continue;
		list_for_each_entry(device, &ep->group->endpoints, group_node) {
			if (!device->nest)
				continue;
			rc = vhost_iommu_inv_endpoint(by, nest, p, device,
						      phase);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static bool vhost_iommu_inv_has_phase(const struct vhost_iommu_format *format,
				      enum vhost_iommu_phase phase)
{
	switch (phase) {
	case VHOST_IOMMU_PHASE_CONTEXT:
		return format->context;
	case VHOST_IOMMU_PHASE_TLB:
		return format->tlb;
	default:
		return format->device;
	}
}

/* Whether there is an endpoint that caches translations of a domain itself */
static bool vhost_iommu_inv_has_ats(const struct vhost_iommu_domain *domain)
{
	const struct vhost_iommu_endpoint *ep, *device;

	list_for_each_entry(ep, &domain->endpoints, domain_node)
		list_for_each_entry(device, &ep->group->endpoints, group_node)
			if (device->ats)
				return true;
	return false;
}

/* Phases that there is something to do in; see vhost_iommu_inv_check() for @before */
static unsigned long
vhost_iommu_inv_phases(const struct vhost_iommu_pending *p,
		       const struct vhost_iommu_pending *before)
{
	unsigned long phases = 0;

	if (p->req.caches & VIRTIO_IOMMU_INV_C_PASID)
		phases |= BIT(VHOST_IOMMU_PHASE_CONTEXT);
	if (p->req.caches & VIRTIO_IOMMU_INV_C_TLB)
		phases |= BIT(VHOST_IOMMU_PHASE_TLB);
	/* A format without TLBs has nothing but caches of devices */
	if (!p->domain->format->tlb)
		phases |= BIT(VHOST_IOMMU_PHASE_DEVICE);
	/* If it was of the same domain, it has been asked already */
	else if ((!before || before->status != VIRTIO_IOMMU_S_OK ||
		  before->domain != p->domain) &&
		 vhost_iommu_inv_has_ats(p->domain))
		phases |= BIT(VHOST_IOMMU_PHASE_DEVICE);
	return phases;
}

static bool vhost_iommu_inv_concerns(const struct vhost_iommu_pending *p,
				     u64 nests, enum vhost_iommu_phase phase)
{
	if (p->status != VIRTIO_IOMMU_S_OK || !(p->domain->nests & nests))
		return false;
	switch (phase) {
	case VHOST_IOMMU_PHASE_CONTEXT:
		return p->req.caches & VIRTIO_IOMMU_INV_C_PASID;
	case VHOST_IOMMU_PHASE_TLB:
		return p->req.caches & VIRTIO_IOMMU_INV_C_TLB;
	default:
		return true;
	}
}

/* One phase of all requests that concern a vIOMMU. An error may be of any */
static int vhost_iommu_inv_try(const struct vhost_iommu_caller *by,
			       const struct vhost_iommu_nest *nest, u64 nests,
			       struct vhost_iommu_pending *pending,
			       unsigned int nr, enum vhost_iommu_phase phase)
{
	struct vhost_iommu_rq *rq = by->rq;
	unsigned int i, nr_inv = 0;
	int rc = 0;

	rq->cmds.nr = 0;
	for (i = 0; i < nr && !rc; i++) {
		struct vhost_iommu_pending *p = &pending[i];

		if (!vhost_iommu_inv_concerns(p, nests, phase))
			continue;
		if (phase == VHOST_IOMMU_PHASE_TLB)
			nest->format->tlb(&p->req, &rq->inv[nr_inv++]);
		else
			rc = vhost_iommu_inv_endpoints(by, nest, p, phase);
	}
	if (nr_inv)
		rc = vhost_iommu_inv_tlb(by, nest, nr_inv);
	return rc ?: vhost_iommu_inv_issue(by, nest, true);
}

/*
 * When the hardware did not answer, none of the requests is known to have been
 * carried out. Otherwise the host refused a command, but its answer does not
 * tell which ones it carried out: ask again, one request after the other. It
 * does no harm to invalidate twice. Returns 0, or -EBUSY if that is for the worker.
 */
static int vhost_iommu_inv_phase(const struct vhost_iommu_caller *by,
				 const struct vhost_iommu_nest *nest,
				 u64 nests, struct vhost_iommu_pending *pending,
				 unsigned int nr, enum vhost_iommu_phase phase)
{
	unsigned int i;
	int rc;

	rc = vhost_iommu_inv_try(by, nest, nests, pending, nr, phase);
	if (!rc)
		return 0;
	if (vhost_iommu_is_for_worker(by, rc))
		return -EBUSY;
	for (i = 0; i < nr; i++) {
		if (!vhost_iommu_inv_concerns(&pending[i], nests, phase))
			continue;
		if (rc != -ETIMEDOUT) {
			int rc2 = vhost_iommu_inv_try(by, nest, nests,
						      &pending[i], 1, phase);

			if (vhost_iommu_is_for_worker(by, rc2))
				return -EBUSY;
			if (!rc2)
				continue;
			/* Nor will it answer the next one, and each takes a second */
			if (rc2 == -ETIMEDOUT)
				rc = rc2;
		}
		pending[i].status = VIRTIO_IOMMU_S_DEVERR;
	}
	return 0;
}

/*
 * vIOMMUs of @all that have the same parent; 0 if this one is not the first of
 * them. Those of @all have endpoints, so that it is known what hardware it is.
 */
static u64 vhost_iommu_siblings(const struct vhost_iommu *viommu,
				const struct vhost_iommu_nest *nest, u64 all)
{
	u64 mask = 0;
	unsigned int i;

	for (i = 0; i < viommu->nests_end; i++)
		if (all & BIT_ULL(i) &&
		    viommu->nests[i]->parent == nest->parent)
			mask |= BIT_ULL(i);
	return mask && __ffs64(mask) == nest->index ? mask : 0;
}

/**
 * vhost_iommu_invalidate - Carry out INVALIDATE requests
 * @rq: The request queue; its pending requests, each checked by
 *      vhost_iommu_req_decode(), get their statuses
 * @by: Who serves it
 *
 * Return: 0: a request whose status is OK is complete, the hardware has said so. Or
 * -EBUSY: all of it is for who is alone, or not for a thread that kicks.
 */
int vhost_iommu_invalidate(struct vhost_iommu_rq *rq,
			   const struct vhost_iommu_caller *by)
{
	struct vhost_iommu_pending *pending = rq->pending, *before = NULL;
	struct vhost_iommu *viommu = rq->viommu;
	unsigned int i, k, nr = rq->nr_pending;
	enum vhost_iommu_phase phase;
	unsigned long phases = 0;
	u64 all = 0;
	int stale;

	lockdep_assert_held(&viommu->lock);

	if (viommu->stale && !by->alone)
		return -EBUSY;
	/* An address space ID of a domain that has ended may be in use again */
	stale = viommu->stale ? vhost_iommu_nests_flush(viommu) : 0;
	for (i = 0; i < nr; i++) {
		struct vhost_iommu_pending *p = &pending[i];

		p->status = vhost_iommu_inv_check(viommu, p, before);
		/* NOENT says that nothing of it is in use, nor in a cache */
		if (stale && (p->status == VIRTIO_IOMMU_S_OK ||
			      p->status == VIRTIO_IOMMU_S_NOENT))
			p->status = VIRTIO_IOMMU_S_DEVERR;
		if (p->status == VIRTIO_IOMMU_S_OK) {
			all |= p->domain->nests;
			phases |= vhost_iommu_inv_phases(p, before);
		}
		before = p;
	}

	for (phase = 0; phase < VHOST_IOMMU_NR_PHASES; phase++) {
		for (k = 0; k < viommu->nests_end; k++) {
			const struct vhost_iommu_nest *nest = viommu->nests[k];
			u64 nests = BIT_ULL(k);

			if (!nest || !(phases & BIT(phase)) ||
			    !vhost_iommu_inv_has_phase(nest->format, phase))
				continue;
			if (phase == VHOST_IOMMU_PHASE_TLB)
				nests = vhost_iommu_siblings(viommu, nest,
							     all);
			if (all & nests &&
			    vhost_iommu_inv_phase(by, nest, nests, pending, nr,
						  phase))
				return -EBUSY;
		}
	}
	return 0;
}
