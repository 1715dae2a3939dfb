// SPDX-License-Identifier: GPL-2.0-only
/*
 * vIOMMUs of the mock, the page tables nested on their parents, and events
 *
 * There are two types. The Arm one has the rules of the kernel's SMMUv3 driver,
 * and tables of the guest are walked (mock_walk.c). That of iommufd's selftest
 * has caches with nothing in them; the parent translates.
 */
#include <linux/bitfield.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "iommufd/iommufd_test.h"
#include "mock.h"
#include "mock_smmu.h"

static const struct vhost_iommu_mock_config mock_default_config = {
	.type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
	.idr = {
		[0] = VHOST_IOMMU_MOCK_IDR0,
		[1] = VHOST_IOMMU_MOCK_IDR1,
		[3] = VHOST_IOMMU_MOCK_IDR3,
		[5] = VHOST_IOMMU_MOCK_IDR5,
	},
};

/* What was set is for one user. */
static void mock_nest_reset(struct mock_iommu *iommu)
{
	lockdep_assert_held(&iommu->lock);

	if (iommu->users || iommu->stats.viommus)
		return;
	iommu->stats.config = mock_default_config;
	iommu->log->count = 0;
}

/**
 * mock_nest_init() - Initialise what nesting needs of an IOMMU
 * @iommu: The IOMMU
 *
 * Return: 0 or -ENOMEM.
 */
int mock_nest_init(struct mock_iommu *iommu)
{
	spin_lock_init(&iommu->lock);
	iommu->stats.config = mock_default_config;
	iommu->stats.iommu = iommu->index;
	iommu->tlb = kvzalloc_objs(*iommu->tlb, MOCK_TLB_SIZE);
	iommu->log = kvzalloc_obj(*iommu->log);
	if (iommu->tlb && iommu->log)
		return 0;
	mock_nest_exit(iommu);
	return -ENOMEM;
}

/**
 * mock_nest_exit() - Undo mock_nest_init()
 * @iommu: The IOMMU
 */
void mock_nest_exit(struct mock_iommu *iommu)
{
	kvfree(iommu->tlb);
	kvfree(iommu->log);
	iommu->tlb = NULL;
	iommu->log = NULL;
}

/**
 * mock_nest_open() - A device was opened
 * @mdev: The device
 */
void mock_nest_open(struct mock_device *mdev)
{
	unsigned int i;

	guard(spinlock)(&mdev->iommu->lock);
	mdev->iommu->users++;
	for (i = 0; i < ARRAY_SIZE(mdev->cache); i++)
		mdev->cache[i] = VHOST_IOMMU_MOCK_CACHE_DEFAULT;
}

/**
 * mock_nest_close() - A device was closed
 * @mdev: The device
 */
void mock_nest_close(struct mock_device *mdev)
{
	guard(spinlock)(&mdev->iommu->lock);
	mdev->iommu->users--;
	mock_nest_reset(mdev->iommu);
}

/**
 * mock_nest_possible() - Whether an IOMMU does nesting at all
 * @iommu: The IOMMU
 *
 * Return: Whether parents and vIOMMUs can be allocated.
 */
bool mock_nest_possible(struct mock_iommu *iommu)
{
	guard(spinlock)(&iommu->lock);
	return !iommu->stats.config.no_nesting;
}

/**
 * mock_nest_has_ats() - Whether devices may cache translations
 * @iommu: The IOMMU that they are behind
 *
 * Return: Whether a stream table entry can say so.
 */
bool mock_nest_has_ats(struct mock_iommu *iommu)
{
	guard(spinlock)(&iommu->lock);
	return iommu->stats.config.type == IOMMU_HW_INFO_TYPE_ARM_SMMUV3 &&
	       (iommu->stats.config.idr[0] & IDR0_ATS);
}

/**
 * mock_nest_hwpt_flags() - What page tables can be allocated with
 * @iommu: The IOMMU
 *
 * Return: Of MOCK_HWPT_FLAGS, those that the IOMMU can do.
 */
u32 mock_nest_hwpt_flags(struct mock_iommu *iommu)
{
	guard(spinlock)(&iommu->lock);
	return MOCK_HWPT_FLAGS & ~iommu->stats.config.no_hwpt_flags;
}

/**
 * mock_nest_hw_info() - See struct iommu_ops
 * @dev: The device
 * @length: Set to the size of what is returned
 * @type: The type that is asked for; set to the type of what is returned
 *
 * Return: What the IOMMU is, to be freed with kfree(), or an error pointer.
 */
void *mock_nest_hw_info(struct device *dev, u32 *length,
			enum iommu_hw_info_type *type)
{
	struct mock_iommu *iommu = to_mock_device(dev)->iommu;
	struct iommu_hw_info_arm_smmuv3 *arm;
	struct vhost_iommu_mock_config config;
	struct iommu_test_hw_info *selftest;

	scoped_guard(spinlock, &iommu->lock)
		config = iommu->stats.config;

	if (*type != IOMMU_HW_INFO_TYPE_DEFAULT && *type != config.type)
		return ERR_PTR(-EOPNOTSUPP);
	*type = config.type;

	if (config.type == IOMMU_HW_INFO_TYPE_SELFTEST) {
		selftest = kzalloc_obj(*selftest);
		if (!selftest)
			return ERR_PTR(-ENOMEM);
		selftest->test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL;
		*length = sizeof(*selftest);
		return selftest;
	}

	arm = kzalloc_obj(*arm);
	if (!arm)
		return ERR_PTR(-ENOMEM);
	arm->flags = config.flags;
	memcpy(arm->idr, config.idr, sizeof(arm->idr));
	arm->iidr = config.iidr;
	arm->aidr = config.aidr;
	*length = sizeof(*arm);
	return arm;
}

/* Nested page tables */

static int mock_nested_attach_dev(struct iommu_domain *domain,
				  struct device *dev, struct iommu_domain *old)
{
	struct mock_nested *nested = to_mock_nested(domain);
	struct mock_viommu *viommu = nested->viommu;
	struct mock_device *mdev = to_mock_device(dev);
	struct mock_domain *parent = viommu->parent;
	unsigned long virt_id = 0;
	int rc;

	if (viommu->iommu != mdev->iommu)
		return -EINVAL;

	/* Commands and events name a device by the ID of its vDEVICE. */
	rc = iommufd_viommu_get_vdev_id(&viommu->core, dev, &virt_id);
	if (rc) {
		if (nested->state != VHOST_IOMMU_MOCK_NEST_ABORT &&
		    nested->state != VHOST_IOMMU_MOCK_NEST_BYPASS)
			return rc;
		viommu = NULL;
	}
	if (nested->state == VHOST_IOMMU_MOCK_NEST_ABORT)
		parent = NULL;
	return mock_attach(mdev, parent, nested, viommu, virt_id);
}

static void mock_nested_free(struct iommu_domain *domain)
{
	struct mock_nested *nested = to_mock_nested(domain);
	struct mock_iommu *iommu = nested->viommu->iommu;

	scoped_guard(spinlock, &iommu->lock)
		iommu->stats.nested--;
	kfree(nested);
}

static const struct iommu_domain_ops mock_nested_ops = {
	.attach_dev = mock_nested_attach_dev,
	.free = mock_nested_free,
};

static struct mock_nested *mock_nested_new(struct mock_viommu *viommu)
{
	struct mock_iommu *iommu = viommu->iommu;
	struct mock_nested *nested;
	int rc;

	rc = mock_inject_iommu(iommu, VHOST_IOMMU_MOCK_INJECT_NESTED, 0);
	if (rc)
		return ERR_PTR(rc);

	nested = kzalloc_obj(*nested, GFP_KERNEL_ACCOUNT);
	if (!nested)
		return ERR_PTR(-ENOMEM);
	nested->domain.type = IOMMU_DOMAIN_NESTED;
	nested->domain.ops = &mock_nested_ops;
	nested->viommu = viommu;
	nested->id = mock_domain_new_id();

	guard(spinlock)(&iommu->lock);
	iommu->stats.nested++;
	return nested;
}

/* What the kernel's driver lets a guest have. */
static int mock_arm_check_ste(u64 ste[2], u32 *state)
{
	u64 eats;

	if (!(ste[0] & STE0_V)) {
		ste[0] = 0;
		ste[1] = 0;
		*state = VHOST_IOMMU_MOCK_NEST_ABORT;
		return 0;
	}
	if ((ste[0] & ~STE0_NESTED) || (ste[1] & ~STE1_NESTED))
		return -EIO;

	switch (FIELD_GET(STE0_CONFIG, ste[0])) {
	case STE0_CONFIG_ABORT:
		*state = VHOST_IOMMU_MOCK_NEST_ABORT;
		break;
	case STE0_CONFIG_BYPASS:
		*state = VHOST_IOMMU_MOCK_NEST_BYPASS;
		break;
	case STE0_CONFIG_S1:
		*state = VHOST_IOMMU_MOCK_NEST_STAGE1;
		break;
	default:
		return -EIO;
	}

	eats = FIELD_GET(STE1_EATS, ste[1]);
	return eats == STE1_EATS_OFF || eats == STE1_EATS_FULL ? 0 : -EIO;
}

static struct iommu_domain *
mock_arm_alloc_nested(struct iommufd_viommu *core, u32 flags,
		      const struct iommu_user_data *user_data)
{
	struct mock_viommu *viommu = to_mock_viommu(core);
	struct iommu_hwpt_arm_smmuv3 arg;
	struct mock_nested *nested;
	u64 ste[2];
	u32 state;
	int rc;

	if (flags)
		return ERR_PTR(-EOPNOTSUPP);

	rc = iommu_copy_struct_from_user(&arg, user_data,
					 IOMMU_HWPT_DATA_ARM_SMMUV3, ste);
	if (rc)
		return ERR_PTR(rc);

	ste[0] = le64_to_cpu(arg.ste[0]);
	ste[1] = le64_to_cpu(arg.ste[1]);
	rc = mock_arm_check_ste(ste, &state);
	if (rc)
		return ERR_PTR(rc);

	nested = mock_nested_new(viommu);
	if (IS_ERR(nested))
		return ERR_CAST(nested);
	nested->state = state;
	nested->ste[0] = ste[0];
	nested->ste[1] = ste[1];
	nested->ats = state == VHOST_IOMMU_MOCK_NEST_STAGE1 &&
		      FIELD_GET(STE1_EATS, ste[1]) == STE1_EATS_FULL &&
		      mock_nest_has_ats(viommu->iommu);
	return &nested->domain;
}

static struct iommu_domain *
mock_selftest_alloc_nested(struct iommufd_viommu *core, u32 flags,
			   const struct iommu_user_data *user_data)
{
	struct iommu_hwpt_selftest arg;
	struct mock_nested *nested;
	int rc;

	if (flags || user_data->type != IOMMU_HWPT_DATA_SELFTEST)
		return ERR_PTR(-EOPNOTSUPP);

	rc = iommu_copy_struct_from_user(&arg, user_data,
					 IOMMU_HWPT_DATA_SELFTEST, iotlb);
	if (rc)
		return ERR_PTR(rc);

	nested = mock_nested_new(to_mock_viommu(core));
	if (IS_ERR(nested))
		return ERR_CAST(nested);
	nested->state = VHOST_IOMMU_MOCK_NEST_SELFTEST;
	nested->iotlb = arg.iotlb;
	return &nested->domain;
}

/* vIOMMUs */

static void mock_viommu_destroy(struct iommufd_viommu *core)
{
	struct mock_iommu *iommu = to_mock_viommu(core)->iommu;

	guard(spinlock)(&iommu->lock);
	iommu->stats.viommus--;
	mock_nest_reset(iommu);
}

static const struct iommufd_viommu_ops mock_arm_ops = {
	.destroy = mock_viommu_destroy,
	.alloc_domain_nested = mock_arm_alloc_nested,
	.cache_invalidate = mock_cmd_arm,
};

static const struct iommufd_viommu_ops mock_selftest_ops = {
	.destroy = mock_viommu_destroy,
	.alloc_domain_nested = mock_selftest_alloc_nested,
	.cache_invalidate = mock_cmd_selftest,
};

static const struct iommufd_viommu_ops *
mock_viommu_ops(const struct vhost_iommu_mock_config *config, u32 type)
{
	if (config->no_nesting)
		return NULL;
	if (type == IOMMU_VIOMMU_TYPE_ARM_SMMUV3 &&
	    config->type == IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		return &mock_arm_ops;
	if (type == IOMMU_VIOMMU_TYPE_SELFTEST &&
	    config->type == IOMMU_HW_INFO_TYPE_SELFTEST)
		return &mock_selftest_ops;
	return NULL;
}

/**
 * mock_nest_viommu_size() - See struct iommu_ops
 * @dev: The device
 * @type: Type of the vIOMMU
 *
 * Return: Size of struct mock_viommu, or 0 if there is no such type.
 */
size_t mock_nest_viommu_size(struct device *dev, enum iommu_viommu_type type)
{
	struct mock_iommu *iommu = to_mock_device(dev)->iommu;

	guard(spinlock)(&iommu->lock);
	if (!mock_viommu_ops(&iommu->stats.config, type))
		return 0;
	return VIOMMU_STRUCT_SIZE(struct mock_viommu, core);
}

/**
 * mock_nest_viommu_init() - See struct iommu_ops
 * @core: The vIOMMU
 * @parent: Its parent
 * @user_data: Ignored for Arm, not supported otherwise
 *
 * Return: 0 or a negative errno.
 */
int mock_nest_viommu_init(struct iommufd_viommu *core,
			  struct iommu_domain *parent,
			  const struct iommu_user_data *user_data)
{
	struct mock_iommu *iommu = to_mock_iommu(core->iommu_dev);
	struct mock_viommu *viommu = to_mock_viommu(core);
	const struct iommufd_viommu_ops *ops;
	int rc;

	viommu->iommu = iommu;
	viommu->parent = to_mock_domain(parent);
	if (viommu->parent->owner->iommu != iommu)
		return -EINVAL;
	if (user_data && core->type == IOMMU_VIOMMU_TYPE_SELFTEST)
		return -EOPNOTSUPP;

	rc = mock_inject_iommu(iommu, VHOST_IOMMU_MOCK_INJECT_VIOMMU, 0);
	if (rc)
		return rc;

	/* From here on the configuration stays as it is. */
	guard(spinlock)(&iommu->lock);
	ops = mock_viommu_ops(&iommu->stats.config, core->type);
	if (!ops)
		return -EOPNOTSUPP;
	core->ops = ops;
	iommu->stats.viommus++;
	return 0;
}

/* Events */

static int mock_nest_event(struct mock_device *mdev, const u64 *event,
			   bool own_id)
{
	struct iommu_viommu_event_selftest selftest;
	struct mock_viommu *viommu = mdev->viommu;
	struct iommu_vevent_arm_smmuv3 arm;
	unsigned int i;
	int rc;

	lockdep_assert_held(&mdev->event_lock);

	if (viommu->core.type == IOMMU_VIOMMU_TYPE_SELFTEST) {
		selftest.virt_id = own_id ? mdev->virt_id : event[0];
		rc = iommufd_viommu_report_event(&viommu->core,
						 IOMMU_VEVENTQ_TYPE_SELFTEST,
						 &selftest, sizeof(selftest));
	} else {
		for (i = 0; i < ARRAY_SIZE(arm.evt); i++)
			arm.evt[i] = cpu_to_le64(event[i]);
		if (own_id) {
			arm.evt[0] &= cpu_to_le64(~EVT0_SID);
			arm.evt[0] |= cpu_to_le64(FIELD_PREP(EVT0_SID,
							     mdev->virt_id));
		}
		rc = iommufd_viommu_report_event(&viommu->core,
						 IOMMU_VEVENTQ_TYPE_ARM_SMMUV3,
						 &arm, sizeof(arm));
	}

	guard(spinlock)(&mdev->iommu->lock);
	if (rc)
		mdev->iommu->stats.events_unheard++;
	else
		mdev->iommu->stats.events++;
	return rc;
}

/**
 * mock_nest_report() - Report a fault
 * @mdev: The device
 * @acc: The access that faulted
 */
void mock_nest_report(struct mock_device *mdev, struct mock_access *acc)
{
	guard(mutex)(&mdev->event_lock);
	if (mdev->viommu)
		mock_nest_event(mdev, acc->event, true);
}

static int mock_write_event(struct mock_device *mdev, const char __user *buf)
{
	struct vhost_iommu_mock_event event;
	int rc = 0;

	if (copy_from_user(&event, buf, sizeof(event)))
		return -EFAULT;
	if (event.flags & ~VHOST_IOMMU_MOCK_EVENT_F_SID)
		return -EINVAL;

	guard(mutex)(&mdev->event_lock);
	if (!mdev->viommu)
		return -ENOENT;
	while (!rc && event.count--) {
		if (fatal_signal_pending(current))
			return -EINTR;
		rc = mock_nest_event(mdev, event.data, event.flags);
		cond_resched();
	}
	return rc;
}

/* The control region */

static int mock_write_config(struct mock_iommu *iommu, const char __user *buf)
{
	struct vhost_iommu_mock_config config;

	if (copy_from_user(&config, buf, sizeof(config)))
		return -EFAULT;
	if ((config.type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3 &&
	     config.type != IOMMU_HW_INFO_TYPE_SELFTEST) ||
	    config.no_nesting > 1 || config.no_hwpt_flags & ~MOCK_HWPT_FLAGS)
		return -EINVAL;

	guard(spinlock)(&iommu->lock);
	if (iommu->stats.viommus)
		return -EBUSY;
	iommu->stats.config = config;
	return 0;
}

static int mock_write_cache(struct mock_device *mdev, const char __user *buf)
{
	u32 cache[VHOST_IOMMU_MOCK_NR_CACHE];

	if (copy_from_user(cache, buf, sizeof(cache)))
		return -EFAULT;

	guard(spinlock)(&mdev->iommu->lock);
	memcpy(mdev->cache, cache, sizeof(cache));
	return 0;
}

/**
 * mock_nest_write() - Write to struct vhost_iommu_mock_nest
 * @mdev: The device
 * @pos: Where
 * @buf: What
 * @count: How much
 *
 * Return: 0 or a negative errno.
 */
int mock_nest_write(struct mock_device *mdev, u64 pos, const char __user *buf,
		    size_t count)
{
	if (pos == offsetof(struct vhost_iommu_mock_nest, config) &&
	    count == sizeof(struct vhost_iommu_mock_config))
		return mock_write_config(mdev->iommu, buf);
	if (pos == offsetof(struct vhost_iommu_mock_nest, cache) &&
	    count == sizeof(mdev->cache))
		return mock_write_cache(mdev, buf);
	if (pos == offsetof(struct vhost_iommu_mock_nest, event) &&
	    count == sizeof(struct vhost_iommu_mock_event))
		return mock_write_event(mdev, buf);
	return -EINVAL;
}

/**
 * mock_nest_stats() - Read struct vhost_iommu_mock_nest
 * @mdev: The device
 * @nest: Is filled
 */
void mock_nest_stats(struct mock_device *mdev,
		     struct vhost_iommu_mock_nest *nest)
{
	struct mock_iommu *iommu = mdev->iommu;
	struct mock_nested *nested;

	guard(mutex)(&mdev->event_lock);
	guard(spinlock)(&mdev->lock);
	guard(spinlock)(&iommu->lock);

	*nest = iommu->stats;
	memcpy(nest->cache, mdev->cache, sizeof(nest->cache));
	mock_walk_stats(mdev, nest);
	if (mdev->viommu) {
		nest->virt_id = mdev->virt_id;
		nest->has_virt_id = 1;
	}
	nested = mdev->nested;
	if (!nested)
		return;
	nest->state = nested->state;
	nest->nested_id = nested->id;
	nest->vmid = nested->viommu->parent->id;
	nest->ste[0] = nested->ste[0];
	nest->ste[1] = nested->ste[1];
	nest->iotlb = nested->iotlb;
	nest->ats = nested->ats;
}

/**
 * mock_nest_log() - Take the log of commands
 * @mdev: A device behind the IOMMU
 *
 * Return: The log, to be freed with kvfree(), or NULL.
 */
struct vhost_iommu_mock_log *mock_nest_log(struct mock_device *mdev)
{
	struct vhost_iommu_mock_log *log = kvmalloc_obj(*log);

	if (!log)
		return NULL;

	guard(spinlock)(&mdev->iommu->lock);
	memcpy(log, mdev->iommu->log, sizeof(*log));
	return log;
}

/**
 * mock_nest_clear_log() - Forget the commands
 * @mdev: A device behind the IOMMU
 */
void mock_nest_clear_log(struct mock_device *mdev)
{
	guard(spinlock)(&mdev->iommu->lock);
	mdev->iommu->log->count = 0;
}
