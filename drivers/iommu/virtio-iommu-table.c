// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest
 *
 * A driver for virtio-iommu devices that take page tables (ATTACH_TABLE) in
 * place of mappings: the physical IOMMU walks the tables that are made here.
 * See Documentation/userspace-api/virtio-iommu-table.rst.
 */
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_iommu.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "virtio-iommu-table.h"

#define VTAB_MAX_PROBE_SIZE	SZ_1M

static DEFINE_MUTEX(vtab_devices_lock);
static LIST_HEAD(vtab_devices);

/* Returns the properties of an endpoint, for kfree(), or an ERR_PTR() */
static void *vtab_send_probe(struct vtab_dev *vtab, struct device *dev, u32 id)
{
	struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE,
		.endpoint = cpu_to_le32(id),
	};
	size_t len = vtab->probe_size + sizeof(struct virtio_iommu_req_tail);
	void *reply = kzalloc(len, GFP_KERNEL);
	int status;

	if (!reply)
		return ERR_PTR(-ENOMEM);
	status = vtab_request(vtab, &req, sizeof(req), reply, len);
	if (status < 0)
		return ERR_PTR(status);
	if (status == VIRTIO_IOMMU_S_OK)
		return reply;
	kfree(reply);
	dev_err(dev, "virtio-iommu: PROBE failed, status %d\n", status);
	return ERR_PTR(-ENODEV);
}

static int vtab_parse_regions(struct vtab_endpoint *ep, const void *props)
{
	const struct virtio_iommu_probe_property *prop;
	unsigned int nr = 0, nr_msi = 0;
	size_t offset = 0;

	while ((prop = vtab_next_property(props, ep->vtab->probe_size,
					  &offset))) {
		if ((le16_to_cpu(prop->type) & VIRTIO_IOMMU_PROBE_T_MASK) !=
		    VIRTIO_IOMMU_PROBE_T_RESV_MEM)
			continue;
		if (vtab_parse_resv(prop, &ep->resv[nr]))
			return -EINVAL;
		nr_msi += ep->resv[nr++].msi;
	}
	return nr_msi > 1 ? -EINVAL : 0;
}

/*
 * An endpoint that no SMMU walks tables for: one that is emulated, most of all a
 * bridge, without which Linux would not see that what is behind it is one group;
 * or one of those that the host has in a group with others. Without BYPASS_CONFIG
 * there is no domain that lets everything through. The first attach must not fail:
 * so it is tried.
 */
static int vtab_check_plain(struct vtab_endpoint *ep)
{
	struct vtab_dev *vtab = ep->vtab;

	/*
	 * An emulated device may work without; see config.bypass. The core warns
	 * about those that are in use when the virtio-iommu is removed.
	 */
	if (!dev_is_pci(ep->dev) || !pci_is_bridge(to_pci_dev(ep->dev))) {
		dev_info(ep->dev, "virtio-iommu: no SMMU walks tables for this device\n");
		return -ENODEV;
	}
	if (!virtio_has_feature(vtab->vdev, VIRTIO_IOMMU_F_BYPASS_CONFIG) ||
	    to_pci_dev(ep->dev)->untrusted)
		return -ENODEV;
	guard(mutex)(&vtab->mutex);
	if (vtab->stopped || vtab_send_attach(ep, &vtab->identity, false))
		return -ENODEV;
	ep->table = &vtab->identity;
	return 0;
}

/* What PROBE said, as an endpoint. Properties that are not known are ignored. */
static struct vtab_endpoint *vtab_parse_probe(struct vtab_dev *vtab,
					      struct device *dev,
					      const void *props)
{
	const struct virtio_iommu_probe_property *prop, *arm = NULL;
	const char *lacks;
	struct vtab_endpoint *ep __free(kfree) = NULL;
	unsigned int nr_resv = 0;
	size_t offset = 0;

	while ((prop = vtab_next_property(props, vtab->probe_size, &offset))) {
		if (IS_ERR(prop)) {
			dev_err(dev, "virtio-iommu: PROBE returned a property that is too long\n");
			return ERR_PTR(-ENODEV);
		}
		switch (le16_to_cpu(prop->type) & VIRTIO_IOMMU_PROBE_T_MASK) {
		case VIRTIO_IOMMU_PROBE_T_RESV_MEM:
			nr_resv++;
			break;
		case VIRTIO_IOMMU_PROBE_T_ARM_SMMUV3:
			arm = prop;
			break;
		}
	}

	ep = kzalloc_flex(*ep, resv, nr_resv);
	if (!ep)
		return ERR_PTR(-ENOMEM);
	ep->nr_resv = nr_resv;
	ep->dev = dev;
	ep->vtab = vtab;
	ep->tables = arm;
	lacks = arm ? vtab_arm_parse_idr(arm, vtab->pgsizes, PAGE_SIZE,
					 &ep->caps) : NULL;
	if (lacks) {
		dev_err(dev, "virtio-iommu: can't use page tables: %s\n",
			lacks);
		return ERR_PTR(-ENODEV);
	}
	if (vtab_parse_regions(ep, props)) {
		dev_err(dev, "virtio-iommu: PROBE returned reserved regions that make no sense\n");
		return ERR_PTR(-ENODEV);
	}
	if (!arm && vtab_check_plain(ep))
		return ERR_PTR(-ENODEV);
	return no_free_ptr(ep);
}

static struct vtab_dev *vtab_find(const struct iommu_fwspec *fwspec)
{
	struct vtab_dev *vtab;

	guard(mutex)(&vtab_devices_lock);
	list_for_each_entry(vtab, &vtab_devices, entry)
		if (dev_fwnode(vtab->vdev->dev.parent) == fwspec->iommu_fwnode)
			return vtab;
	return NULL;
}

static void vtab_del_endpoint(struct vtab_endpoint *ep)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(ep->dev);
	struct vtab_dev *vtab = ep->vtab;
	unsigned int i;

	guard(mutex)(&vtab->mutex);
	for (i = 0; i < fwspec->num_ids; i++)
		xa_cmpxchg(&vtab->ids, fwspec->ids[i], ep,
			   vtab_sharer(ep, fwspec->ids[i], false), GFP_KERNEL);
	guard(raw_spinlock_irq)(&vtab->lock);
	list_del(&ep->entry);
}

static int vtab_add_endpoint(struct vtab_endpoint *ep)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(ep->dev);
	struct vtab_dev *vtab = ep->vtab;
	unsigned int i;
	int rc = 0;

	scoped_guard(mutex, &vtab->mutex) {
		scoped_guard(raw_spinlock_irq, &vtab->lock)
			list_add(&ep->entry, &vtab->endpoints);
		/* Another endpoint may have the same ID, see vtab_sharer() */
		for (i = 0; i < fwspec->num_ids && !rc; i++) {
			rc = xa_insert(&vtab->ids, fwspec->ids[i], ep,
				       GFP_KERNEL);
			if (rc == -EBUSY)
				rc = 0;
		}
	}
	if (rc)
		vtab_del_endpoint(ep);
	return rc;
}

static struct iommu_device *vtab_probe_device(struct device *dev)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);
	struct vtab_endpoint *ep;
	struct vtab_dev *vtab;
	void *props;
	int rc;

	if (!fwspec || !fwspec->num_ids)
		return ERR_PTR(-ENODEV);
	vtab = vtab_find(fwspec);
	if (!vtab)
		return ERR_PTR(-ENODEV);

	/* An endpoint with several IDs has the properties of the first */
	props = vtab_send_probe(vtab, dev, fwspec->ids[0]);
	if (IS_ERR(props))
		return ERR_CAST(props);
	ep = vtab_parse_probe(vtab, dev, props);
	kfree(props);
	if (IS_ERR(ep))
		return ERR_CAST(ep);

	ratelimit_state_init(&ep->faults, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	ep->ats = ep->tables && ep->caps.ats && dev_is_pci(dev) &&
		  !pci_prepare_ats(to_pci_dev(dev), __ffs(ep->caps.pgsizes));
	rc = vtab_add_endpoint(ep);
	if (rc) {
		kfree(ep);
		return ERR_PTR(rc);
	}
	dev_iommu_priv_set(dev, ep);

	/*
	 * So that the endpoint is shut down, and its memory unmapped, before
	 * the virtio-iommu. Not possible for a bridge that both are behind.
	 */
	device_link_add(dev, &vtab->vdev->dev, DL_FLAG_STATELESS);
	return &vtab->iommu;
}

/* Most endpoints are blocked already, see release_domain */
static void vtab_release_device(struct device *dev)
{
	struct vtab_endpoint *ep = dev_iommu_priv_get(dev);

	vtab_leave(ep);
	device_link_remove(dev, &ep->vtab->vdev->dev);
	vtab_del_endpoint(ep);
	kfree(ep);
}

static struct iommu_group *vtab_device_group(struct device *dev)
{
	return dev_is_pci(dev) ? pci_device_group(dev) :
				 generic_device_group(dev);
}

static void vtab_get_resv_regions(struct device *dev, struct list_head *head)
{
	const int prot = IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO;
	struct vtab_endpoint *ep = dev_iommu_priv_get(dev);
	struct iommu_resv_region *region;
	unsigned int i;

	for (i = 0; i < ep->nr_resv; i++) {
		const struct vtab_resv *resv = &ep->resv[i];

		region = iommu_alloc_resv_region(resv->start,
						 resv->last - resv->start + 1,
						 resv->msi ? prot : 0,
						 resv->msi ? IOMMU_RESV_MSI :
						 IOMMU_RESV_RESERVED,
						 GFP_KERNEL);
		if (!region)
			return;
		list_add_tail(&region->list, head);
	}
	if (dev->of_node)
		of_iommu_get_resv_regions(dev, head);
}

/* Nobody could translate for it; not for a group in which somebody could */
static int vtab_def_domain_type(struct device *dev)
{
	return vtab_model(dev_iommu_priv_get(dev)) ? 0 : IOMMU_DOMAIN_IDENTITY;
}

static int vtab_of_xlate(struct device *dev, const struct of_phandle_args *args)
{
	return iommu_fwspec_add_ids(dev, args->args, 1);
}

static bool vtab_capable(struct device *dev, enum iommu_cap cap)
{
	struct vtab_endpoint *ep = dev_iommu_priv_get(dev);

	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
	case IOMMU_CAP_DEFERRED_FLUSH:
	case IOMMU_CAP_NOEXEC:
		return true;
	case IOMMU_CAP_PCI_ATS_SUPPORTED:
		return ep->ats;
	default:
		return false;
	}
}

static const struct iommu_ops vtab_ops = {
	.capable		= vtab_capable,
	.domain_alloc_paging	= vtab_domain_alloc,
	.probe_device		= vtab_probe_device,
	.release_device		= vtab_release_device,
	.device_group		= vtab_device_group,
	.def_domain_type	= vtab_def_domain_type,
	.get_resv_regions	= vtab_get_resv_regions,
	.of_xlate		= vtab_of_xlate,
	.identity_domain	= &vtab_identity_domain,
	.blocked_domain		= &vtab_blocked_domain,
	.release_domain		= &vtab_blocked_domain,
	.default_domain_ops	= &vtab_paging_ops,
	.owner			= THIS_MODULE,
};

static int vtab_read_config(struct vtab_dev *vtab)
{
	struct virtio_device *vdev = vtab->vdev;
	u32 first = 0, last = U32_MAX;
	u16 num_queues = 1;

	vtab->input_last = U64_MAX;
	virtio_cread_le(vdev, struct virtio_iommu_config, page_size_mask,
			&vtab->pgsizes);
	virtio_cread_le(vdev, struct virtio_iommu_config, probe_size,
			&vtab->probe_size);
	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_INPUT_RANGE,
				struct virtio_iommu_config, input_range.start,
				&vtab->input_first);
	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_INPUT_RANGE,
				struct virtio_iommu_config, input_range.end,
				&vtab->input_last);
	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_DOMAIN_RANGE,
				struct virtio_iommu_config, domain_range.start,
				&first);
	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_DOMAIN_RANGE,
				struct virtio_iommu_config, domain_range.end,
				&last);
	if (virtio_has_feature(vdev, VIRTIO_IOMMU_F_MQ))
		num_queues = virtio_cread16(vdev,
					    VIRTIO_IOMMU_CONFIG_NUM_QUEUES);

	/*
	 * IDs for identity and blocked, for these two without tables, and for at
	 * least one paging domain
	 */
	last = min(last, INT_MAX);
	if (!vtab->pgsizes || vtab->input_last < vtab->input_first ||
	    !vtab->probe_size || vtab->probe_size > VTAB_MAX_PROBE_SIZE ||
	    last < 4 || first > last - 4 || !num_queues) {
		dev_err(&vdev->dev, "the configuration makes no sense\n");
		return -EINVAL;
	}
	vtab->identity.id = first;
	vtab_arm_make_ste_fixed(true, vtab->identity.ste);
	vtab->identity.plain_id = first + 2;
	vtab->blocked.id = first + 1;
	vtab_arm_make_ste_fixed(false, vtab->blocked.ste);
	vtab->blocked.plain_id = first + 3;
	vtab->first_id = first + 4;
	vtab->last_id = last;
	return vtab_alloc_queues(vtab, vtab_nr_queues(num_queues, nr_cpu_ids));
}

/*
 * Returns whether a reset of the device has succeeded. If not, then all memory
 * that it was given is lost.
 */
static bool vtab_reset_done(struct vtab_dev *vtab)
{
	struct virtio_device *vdev = vtab->vdev;
	struct vtab_endpoint *ep;

	if (vdev->config->get_status(vdev)) {
		dev_err(&vdev->dev, "can't be reset, memory that it may use is kept\n");
		return false;
	}
	scoped_guard(mutex, &vtab->mutex) {
		list_for_each_entry(ep, &vtab->endpoints, entry) {
			ep->table = &vtab->blocked;
			ep->domain = NULL;
		}
		/* Pairs with vtab_await_reset() */
		smp_store_release(&vtab->was_reset, true);
	}
	vtab_free_kept(vtab);
	wake_up_all(&vtab->wq);
	return true;
}

/*
 * A broken device is reset as soon as possible: VFIO waits for it, and holds locks
 * of its own, of iommufd and the group's mutex. None of them is taken here. The
 * rings remain, nobody uses them any more.
 */
static void vtab_reset_work(struct work_struct *work)
{
	struct vtab_dev *vtab = container_of(work, struct vtab_dev, reset_work);

	/* See vtab_submit() */
	synchronize_rcu();
	disable_work_sync(&vtab->event_work);
	/* Whoever wakes endpoints sets it, too, if the device is not broken */
	scoped_guard(mutex, &vtab->mutex)
		vtab_swap_bypass(vtab, 0);
	virtio_reset_device(vtab->vdev);
	if (vtab_reset_done(vtab))
		dev_notice(&vtab->vdev->dev,
			   "was reset, all endpoints are blocked\n");
}

/* Nothing has a right to make requests any more */
static void vtab_close(struct vtab_dev *vtab, bool clear_bypass)
{
	struct virtio_device *vdev = vtab->vdev;

	disable_work_sync(&vtab->reset_work);
	disable_work_sync(&vtab->event_work);
	scoped_guard(raw_spinlock_irq, &vtab->lock) {
		WRITE_ONCE(vtab->keep, true);
		WRITE_ONCE(vtab->broken, true);
	}
	/* Whoever has not seen that is done with the queues after this */
	synchronize_rcu();
	if (clear_bypass)
		vtab_swap_bypass(vtab, 0);
	virtio_reset_device(vdev);
	if (vtab->event_vq)
		vdev->config->del_vqs(vdev);
	if (!vtab_reset_done(vtab))
		return;
	vtab_free_vqs(vtab);
}

static struct vtab_dev *vtab_alloc(struct virtio_device *vdev)
{
	struct vtab_dev *vtab = kzalloc_obj(*vtab);

	if (!vtab)
		return NULL;
	vtab->vdev = vdev;
	kref_init(&vtab->kref);
	raw_spin_lock_init(&vtab->lock);
	mutex_init(&vtab->mutex);
	INIT_LIST_HEAD(&vtab->endpoints);
	INIT_LIST_HEAD(&vtab->kept_pages);
	INIT_LIST_HEAD(&vtab->kept_domains);
	xa_init(&vtab->ids);
	ida_init(&vtab->domain_ids);
	INIT_WORK(&vtab->event_work, vtab_event_work);
	INIT_WORK(&vtab->reset_work, vtab_reset_work);
	init_waitqueue_head(&vtab->wq);
	return vtab;
}

static void vtab_unlist(struct vtab_dev *vtab)
{
	guard(mutex)(&vtab_devices_lock);
	list_del(&vtab->entry);
}

static int vtab_register(struct vtab_dev *vtab)
{
	struct virtio_device *vdev = vtab->vdev;
	int rc;

	scoped_guard(mutex, &vtab_devices_lock)
		list_add(&vtab->entry, &vtab_devices);
	rc = iommu_device_sysfs_add(&vtab->iommu, &vdev->dev, NULL, "%s",
				    virtio_bus_name(vdev));
	if (!rc) {
		rc = iommu_device_register(&vtab->iommu, &vtab_ops,
					   vdev->dev.parent);
		if (rc)
			iommu_device_sysfs_remove(&vtab->iommu);
	}
	if (rc)
		vtab_unlist(vtab);
	return rc;
}

static int vtab_probe(struct virtio_device *vdev)
{
	struct vtab_dev *vtab;
	int rc;

	vtab = vtab_alloc(vdev);
	if (!vtab)
		return -ENOMEM;
	vdev->priv = vtab;
	rc = vtab_read_config(vtab);
	if (!rc)
		rc = vtab_find_vqs(vtab);
	if (rc)
		goto out_close;

	virtio_device_ready(vdev);
	rc = vtab_fill_events(vtab);
	if (rc)
		goto out_close;

	rc = vtab_register(vtab);
	if (rc)
		goto out_close;
	dev_info(&vdev->dev, "page tables, sizes %#llx, input addresses %#llx to %#llx, request queues: %u\n",
		 vtab->pgsizes, vtab->input_first, vtab->input_last,
		 vtab->nr_queues);
	return 0;

out_close:
	vtab_close(vtab, false);
	vtab_put(vtab);
	return rc;
}

/*
 * Its endpoints have a reference to the module: this is for a device that
 * has none, or goes away by itself. In the latter case endpoints may be in use
 * and remain blocked. Otherwise the bypass is left to those that Linux uses
 * without an IOMMU.
 */
static void vtab_remove(struct virtio_device *vdev)
{
	struct vtab_dev *vtab = vdev->priv;
	struct vtab_endpoint *ep;
	bool has_tables = false;

	scoped_guard(mutex, &vtab->mutex)
		list_for_each_entry(ep, &vtab->endpoints, entry)
			has_tables |= ep->tables;
	iommu_device_unregister(&vtab->iommu);
	iommu_device_sysfs_remove(&vtab->iommu);
	vtab_unlist(vtab);
	vtab_close(vtab, has_tables);
	vtab_put(vtab);
}

/*
 * Endpoints are shut down first, see vtab_probe_device(). Those that still make
 * DMA, because their drivers don't know about shutting down, are blocked, so
 * that a kernel that is started next finds its memory as it was. After this
 * nothing is cached for any domain: what is unmapped needs no request, hence
 * it does no harm that the rings may be dead from now on. There is no reset,
 * which might leave the endpoints in bypass; the next kernel makes one.
 */
static void vtab_shutdown(struct virtio_device *vdev)
{
	struct vtab_dev *vtab = vdev->priv;
	struct vtab_endpoint *ep;

	disable_work_sync(&vtab->event_work);
	guard(mutex)(&vtab->mutex);
	vtab->stopped = true;
	if (vtab->asleep)
		return;
	list_for_each_entry(ep, &vtab->endpoints, entry)
		vtab_attach_locked(ep, &vtab->blocked, NULL);
}

static void vtab_config_changed(struct virtio_device *vdev)
{
	if (vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_NEEDS_RESET)
		vtab_break(vdev->priv, "it needs a reset");
}

/*
 * A device that another driver has looked at keeps the features that this other
 * one accepted, until it is reset. Without indirect descriptors, a request needs no
 * memory beyond its own. A split ring has an index that says how many requests were
 * answered, see vtab_peek().
 */
static int vtab_validate(struct virtio_device *vdev)
{
	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1) ||
	    !virtio_has_feature(vdev, VIRTIO_IOMMU_F_ATTACH_TABLE))
		return -ENODEV;
	if (!virtio_has_feature(vdev, VIRTIO_IOMMU_F_PROBE)) {
		dev_err(&vdev->dev, "tables without PROBE are of no use\n");
		return -ENODEV;
	}
	/* Devices are assigned to it by the firmware */
	if (!dev_fwnode(vdev->dev.parent)) {
		dev_err(&vdev->dev, "the firmware does not know of it\n");
		return -ENODEV;
	}
	if (vdev->config->get_status(vdev) &
	    (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)) {
		virtio_reset_device(vdev);
		virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
		virtio_add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	}
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	__virtio_clear_bit(vdev, VIRTIO_F_RING_PACKED);
	return vdev->config->finalize_features(vdev);
}

static const unsigned int vtab_features[] = {
	VIRTIO_IOMMU_F_ATTACH_TABLE,
	VIRTIO_IOMMU_F_INPUT_RANGE,
	VIRTIO_IOMMU_F_DOMAIN_RANGE,
	VIRTIO_IOMMU_F_PROBE,
	VIRTIO_IOMMU_F_BYPASS_CONFIG,
	VIRTIO_IOMMU_F_MQ,
};

static const struct virtio_device_id vtab_ids[] = {
	{ VIRTIO_ID_IOMMU, VIRTIO_DEV_ANY_ID },
	{ }
};
MODULE_DEVICE_TABLE(virtio, vtab_ids);

static struct virtio_driver vtab_driver = {
	.driver.name			= KBUILD_MODNAME,
	.driver.suppress_bind_attrs	= true,
	.driver.dev_groups		= vtab_groups,
	.id_table			= vtab_ids,
	.feature_table			= vtab_features,
	.feature_table_size		= ARRAY_SIZE(vtab_features),
	.validate			= vtab_validate,
	.probe				= vtab_probe,
	.remove				= vtab_remove,
	.shutdown			= vtab_shutdown,
	.freeze				= vtab_freeze,
	.restore			= vtab_restore,
	.reset_prepare			= vtab_freeze,
	.reset_done			= vtab_restore,
	.config_changed			= vtab_config_changed,
};
module_virtio_driver(vtab_driver);

MODULE_DESCRIPTION("virtio-iommu with tables of the guest");
MODULE_LICENSE("GPL");
