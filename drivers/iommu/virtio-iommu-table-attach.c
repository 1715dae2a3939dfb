// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest: what endpoints are attached to
 */
#include <linux/cleanup.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>

#include "virtio-iommu-table.h"

/**
 * vtab_sharer - Find another endpoint with the same ID
 * @ep: An endpoint
 * @id: One of its IDs
 * @live: It has to be one that is not blocked
 *
 * Devices behind a bridge may have an ID in common.
 *
 * Return: the other endpoint or NULL.
 */
struct vtab_endpoint *vtab_sharer(const struct vtab_endpoint *ep, u32 id,
				  bool live)
{
	struct vtab_dev *vtab = ep->vtab;
	const struct iommu_fwspec *fwspec;
	struct vtab_endpoint *other;
	unsigned int i;

	lockdep_assert_held(&vtab->mutex);
	list_for_each_entry(other, &vtab->endpoints, entry) {
		if (other == ep || (live && (!other->table ||
					     other->table == &vtab->blocked)))
			continue;
		fwspec = dev_iommu_fwspec_get(other->dev);
		for (i = 0; i < fwspec->num_ids; i++)
			if (fwspec->ids[i] == id)
				return other;
	}
	return NULL;
}

/*
 * Makes a request for one ID, returns as vtab_request(). Who can't use tables is
 * blocked by a domain that maps nothing.
 */
static int vtab_send_attach_id(struct vtab_endpoint *ep, u32 id,
			       const struct vtab_table *table, bool ats)
{
	struct virtio_iommu_req_attach plain = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = cpu_to_le32(table->plain_id),
		.endpoint = cpu_to_le32(id),
		.flags = cpu_to_le32(table == &ep->vtab->identity ?
				     VIRTIO_IOMMU_ATTACH_F_BYPASS : 0),
	};
	struct virtio_iommu_req_attach_table_arm req;

	if (!ep->tables)
		return vtab_request(ep->vtab, &plain,
				    offsetof(typeof(plain), tail), NULL,
				    sizeof(plain.tail));
	vtab_arm_make_attach(table->id, id, table->ste, ats, &req);
	return vtab_request(ep->vtab, &req, offsetof(typeof(req), tail), NULL,
			    sizeof(req.tail));
}

/**
 * vtab_send_attach - Make the requests that attach an endpoint
 * @ep: The endpoint
 * @table: To what
 * @ats: Whether it may cache translations itself
 *
 * Each is complete before the next one is made, maybe in another queue: IDs are
 * attached in this order, and before whatever the caller does next.
 *
 * Return: 0 or a negative errno. If it is an error, some of its IDs may be attached.
 */
int vtab_send_attach(struct vtab_endpoint *ep, const struct vtab_table *table,
		     bool ats)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(ep->dev);
	bool block = table == &ep->vtab->blocked;
	unsigned int i;
	int status;

	for (i = 0; i < fwspec->num_ids; i++) {
		/* The last one that uses it blocks it */
		if (block && vtab_sharer(ep, fwspec->ids[i], true))
			continue;
		status = vtab_send_attach_id(ep, fwspec->ids[i], table, ats);
		if (status < 0)
			return status;
		/*
		 * It was unplugged: that is blocked enough. Or an alias is
		 * unknown: nothing that has this ID gets through.
		 */
		if (status == VIRTIO_IOMMU_S_NOENT &&
		    (block || (i && dev_is_pci(ep->dev))))
			continue;
		if (status != VIRTIO_IOMMU_S_OK)
			return vtab_errno(status);
	}
	return 0;
}

static void vtab_set_ats(struct vtab_endpoint *ep, bool on)
{
	struct pci_dev *pdev;

	if (on == ep->ats_on)
		return;
	pdev = to_pci_dev(ep->dev);
	if (!on)
		pci_disable_ats(pdev);
	ep->ats_on = on && !pci_enable_ats(pdev, __ffs(ep->caps.pgsizes));
}

/**
 * vtab_attach_locked - Attach an endpoint
 * @ep: The endpoint
 * @table: To what
 * @dom: The domain whose table that is, or NULL
 *
 * Return: 0 or a negative errno. If it is an error, the endpoint remains where it
 * was; if that can't be said for sure, neither of the domains is ever freed.
 */
int vtab_attach_locked(struct vtab_endpoint *ep, const struct vtab_table *table,
		       struct vtab_domain *dom)
{
	bool ats = dom && ep->ats, had_ats = ep->ats_on;
	int rc, undo;

	lockdep_assert_held(&ep->vtab->mutex);
	if (dom) {
		WRITE_ONCE(dom->nr_endpoints, dom->nr_endpoints + 1);
		/* Pairs with vtab_is_live() */
		smp_mb();
	}

	if (!ats)
		vtab_set_ats(ep, false);
	rc = vtab_send_attach(ep, table, ats);
	if (rc) {
		/* Some of its IDs may be attached already */
		undo = vtab_send_attach(ep, ep->table ?: &ep->vtab->blocked,
					had_ats);
		vtab_set_ats(ep, had_ats);
		if (!undo && dom)
			WRITE_ONCE(dom->nr_endpoints, dom->nr_endpoints - 1);
		/* Nobody knows which of them it is in: neither is ever freed */
		if (undo && !READ_ONCE(ep->vtab->broken))
			dev_err(ep->dev,
				"virtio-iommu: can be attached neither to the new nor to the old domain\n");
		return rc;
	}
	vtab_set_ats(ep, ats);

	if (ep->domain)
		WRITE_ONCE(ep->domain->nr_endpoints,
			   ep->domain->nr_endpoints - 1);
	ep->table = table;
	ep->domain = dom;
	return 0;
}

/**
 * vtab_attach - Attach an endpoint, unless the device is not there at present
 * @ep: The endpoint
 * @table: To what
 * @dom: The domain whose table that is, or NULL
 *
 * Return: 0 or a negative errno. As vtab_attach_locked() if it is an error.
 */
int vtab_attach(struct vtab_endpoint *ep, const struct vtab_table *table,
		struct vtab_domain *dom)
{
	guard(mutex)(&ep->vtab->mutex);
	/*
	 * All endpoints are blocked and remain so. That is an error for who wants
	 * a domain of its own, but not when the core takes it back.
	 */
	if (ep->vtab->was_reset)
		return dom && !iommu_is_dma_domain(&dom->domain) ? -EIO : 0;
	/* Likewise, and the rings may be dead */
	if (ep->vtab->stopped)
		return ep->table == &ep->vtab->blocked ? 0 : -EBUSY;
	/* Blocked it is, and it may be told to remain so */
	if (ep->vtab->asleep) {
		if (table != &ep->vtab->blocked)
			return -EBUSY;
		ep->asleep_table = table;
		ep->asleep_domain = NULL;
		return 0;
	}
	return vtab_attach_locked(ep, table, dom);
}

/**
 * vtab_is_bridge - Tell whether an endpoint is a bridge
 * @ep: The endpoint
 *
 * Return: true if it is.
 */
bool vtab_is_bridge(const struct vtab_endpoint *ep)
{
	return dev_is_pci(ep->dev) && pci_is_bridge(to_pci_dev(ep->dev));
}

/**
 * vtab_model - Find the endpoint that tables are made for
 * @ep: An endpoint
 *
 * A bridge is in a group with the devices behind it that it does not isolate from
 * each other. These have tables, whichever of the group asks for them first.
 * There is no risk that the endpoint goes away if the group's mutex is held, as
 * it is when that is not @ep itself: nothing but the core's default domain is
 * made for a bridge.
 *
 * Return: @ep, or the endpoint that it is in a group with, or NULL.
 */
struct vtab_endpoint *vtab_model(struct vtab_endpoint *ep)
{
	struct vtab_endpoint *other;

	if (ep->tables)
		return ep;
	if (!vtab_is_bridge(ep))
		return NULL;
	guard(mutex)(&ep->vtab->mutex);
	list_for_each_entry(other, &ep->vtab->endpoints, entry)
		if (other->tables &&
		    other->dev->iommu_group == ep->dev->iommu_group)
			return other;
	return NULL;
}

static int vtab_attach_identity(struct iommu_domain *domain, struct device *dev,
				struct iommu_domain *old)
{
	struct vtab_endpoint *ep = dev_iommu_priv_get(dev);

	return vtab_attach(ep, &ep->vtab->identity, NULL);
}

static int vtab_attach_blocked(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	struct vtab_endpoint *ep = dev_iommu_priv_get(dev);

	return vtab_attach(ep, &ep->vtab->blocked, NULL);
}

/* Translates nothing */
struct iommu_domain vtab_identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &(const struct iommu_domain_ops) {
		.attach_dev = vtab_attach_identity,
	},
};

/* Lets nothing through */
struct iommu_domain vtab_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &(const struct iommu_domain_ops) {
		.attach_dev = vtab_attach_blocked,
	},
};

/* Whether the device has let go of the domain, for all of an endpoint's IDs */
static bool vtab_send_detach(struct vtab_endpoint *ep, u32 domain)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(ep->dev);
	struct virtio_iommu_req_detach req = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = cpu_to_le32(domain),
	};
	unsigned int i;
	int status;

	for (i = 0; i < fwspec->num_ids; i++) {
		if (vtab_sharer(ep, fwspec->ids[i], true))
			continue;
		req.endpoint = cpu_to_le32(fwspec->ids[i]);
		status = vtab_request(ep->vtab, &req,
				      offsetof(typeof(req), tail), NULL,
				      sizeof(req.tail));
		/* It is not there, or it is in no domain or another one */
		if (status != VIRTIO_IOMMU_S_OK &&
		    status != VIRTIO_IOMMU_S_NOENT &&
		    status != VIRTIO_IOMMU_S_INVAL)
			return false;
	}
	return true;
}

/**
 * vtab_leave - Make sure that an endpoint that goes away is in no domain
 * @ep: The endpoint
 *
 * An endpoint that could not be blocked leaves its domain nevertheless, or the
 * domain would be kept until the device is reset. It might be in bypass then: its
 * DMA is stopped first.
 */
void vtab_leave(struct vtab_endpoint *ep)
{
	guard(mutex)(&ep->vtab->mutex);
	if (!ep->domain || ep->vtab->stopped)
		return;
	if (dev_is_pci(ep->dev))
		pci_clear_master(to_pci_dev(ep->dev));
	vtab_set_ats(ep, false);
	if (!vtab_send_detach(ep, ep->domain->table.id))
		return;
	WRITE_ONCE(ep->domain->nr_endpoints, ep->domain->nr_endpoints - 1);
	ep->table = NULL;
	ep->domain = NULL;
}
