// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's VFIO driver and the DMA engine of its devices
 */
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/vfio.h>

#include "mock.h"

#define MOCK_REGION_SHIFT	40

/**
 * struct mock_vfio - What VFIO knows of a device
 * @vdev: The VFIO device
 * @mdev: The device
 * @dma: The registers
 * @window: The data window
 */
struct mock_vfio {
	struct vfio_device vdev;
	struct mock_device *mdev;
	/** @lock: Serialises accesses to the registers */
	struct mutex lock;
	struct vhost_iommu_mock_dma dma;
	u8 *window;
};

/* A device without an IOMMU: the copy goes through iommufd's own mappings. */
static u32 mock_dma_page_emulated(struct mock_vfio *mock, u64 iova, void *buf,
				  size_t len, bool write)
{
	int rc = vfio_dma_rw(&mock->vdev, iova, buf, len, write);

	if (rc == -EPERM)
		return VHOST_IOMMU_MOCK_DMA_DENIED;
	return rc ? VHOST_IOMMU_MOCK_DMA_UNMAPPED : VHOST_IOMMU_MOCK_DMA_OK;
}

static void mock_dma_run(struct mock_vfio *mock)
{
	struct vhost_iommu_mock_dma *dma = &mock->dma;
	struct mock_device *mdev = mock->mdev;
	bool write = dma->cmd == VHOST_IOMMU_MOCK_CMD_WRITE;
	u64 iova = dma->iova;
	u32 done = 0;
	u32 status = VHOST_IOMMU_MOCK_DMA_OK;

	lockdep_assert_held(&mock->lock);

	if ((!write && dma->cmd != VHOST_IOMMU_MOCK_CMD_READ) || !dma->len ||
	    dma->len > VHOST_IOMMU_MOCK_WINDOW_SIZE ||
	    iova + dma->len - 1 < iova)
		status = VHOST_IOMMU_MOCK_DMA_BAD_CMD;

	while (!status && done < dma->len) {
		u32 chunk = min_t(u64, dma->len - done,
				  PAGE_SIZE - offset_in_page(iova));

		struct mock_access acc = {
			.iova = iova,
			.pasid = dma->pasid,
			.write = write,
			.buf = mock->window + done,
			.len = chunk,
		};

		if (mdev->emulated)
			status = mock_dma_page_emulated(mock, iova,
							mock->window + done,
							chunk, write);
		else
			status = mock_iommu_dma(mdev, &acc);
		if (status)
			break;
		done += chunk;
		iova += chunk;
	}

	dma->status = status;
	dma->done = done;
	dma->fault_iova = status ? iova : 0;

	guard(spinlock)(&mdev->lock);
	if (status)
		mdev->ctl.dma_fault++;
	else
		mdev->ctl.dma_ok++;
}

/* The VFIO device */

static struct mock_vfio *to_mock_vfio(struct vfio_device *vdev)
{
	return container_of(vdev, struct mock_vfio, vdev);
}

static int mock_vfio_init(struct vfio_device *vdev)
{
	struct mock_vfio *mock = to_mock_vfio(vdev);

	mock->mdev = to_mock_device(vdev->dev);
	mutex_init(&mock->lock);
	mock->window = kvzalloc(VHOST_IOMMU_MOCK_WINDOW_SIZE, GFP_KERNEL);
	return mock->window ? 0 : -ENOMEM;
}

static void mock_vfio_release(struct vfio_device *vdev)
{
	struct mock_vfio *mock = to_mock_vfio(vdev);

	kvfree(mock->window);
	mutex_destroy(&mock->lock);
}

static int mock_vfio_open_device(struct vfio_device *vdev)
{
	struct mock_vfio *mock = to_mock_vfio(vdev);

	guard(mutex)(&mock->lock);
	mock->dma.pasid = 0;
	mock_nest_open(mock->mdev);
	return 0;
}

static void mock_vfio_close_device(struct vfio_device *vdev)
{
	mock_nest_close(to_mock_vfio(vdev)->mdev);
}

static int mock_vfio_count_attach(struct mock_device *mdev)
{
	scoped_guard(spinlock, &mdev->lock)
		mdev->ctl.attach++;
	return mock_inject(mdev, VHOST_IOMMU_MOCK_INJECT_ATTACH);
}

static void mock_vfio_count_detach(struct mock_device *mdev)
{
	guard(spinlock)(&mdev->lock);
	mdev->ctl.detach++;
}

static int mock_vfio_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	int rc = mock_vfio_count_attach(to_mock_vfio(vdev)->mdev);

	return rc ?: vfio_iommufd_physical_attach_ioas(vdev, pt_id);
}

static void mock_vfio_detach_ioas(struct vfio_device *vdev)
{
	mock_vfio_count_detach(to_mock_vfio(vdev)->mdev);
	vfio_iommufd_physical_detach_ioas(vdev);
}

static int mock_vfio_emulated_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	int rc = mock_vfio_count_attach(to_mock_vfio(vdev)->mdev);

	return rc ?: vfio_iommufd_emulated_attach_ioas(vdev, pt_id);
}

static void mock_vfio_emulated_detach_ioas(struct vfio_device *vdev)
{
	mock_vfio_count_detach(to_mock_vfio(vdev)->mdev);
	vfio_iommufd_emulated_detach_ioas(vdev);
}

static int mock_vfio_get_region_info(struct vfio_device *vdev,
				     struct vfio_region_info *info,
				     struct vfio_info_cap *caps)
{
	struct mock_device *mdev = to_mock_vfio(vdev)->mdev;

	if (mdev->emulated && info->index > VHOST_IOMMU_MOCK_REGION_CTL)
		return -EINVAL;

	switch (info->index) {
	case VHOST_IOMMU_MOCK_REGION_DMA:
		info->size = VHOST_IOMMU_MOCK_WINDOW +
			     VHOST_IOMMU_MOCK_WINDOW_SIZE;
		break;
	case VHOST_IOMMU_MOCK_REGION_CTL:
		info->size = sizeof(struct vhost_iommu_mock_ctl);
		break;
	case VHOST_IOMMU_MOCK_REGION_NEST:
		info->size = sizeof(struct vhost_iommu_mock_nest);
		break;
	case VHOST_IOMMU_MOCK_REGION_LOG:
		info->size = sizeof(struct vhost_iommu_mock_log);
		break;
	default:
		return -EINVAL;
	}
	info->offset = (u64)info->index << MOCK_REGION_SHIFT;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	return 0;
}

static long mock_vfio_get_info(struct vfio_device_info __user *uinfo)
{
	unsigned long minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info;

	if (copy_from_user(&info, uinfo, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	info.flags = VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VHOST_IOMMU_MOCK_NR_REGIONS;
	info.num_irqs = 0;
	return copy_to_user(uinfo, &info, minsz) ? -EFAULT : 0;
}

static long mock_vfio_ioctl(struct vfio_device *vdev, unsigned int cmd,
			    unsigned long arg)
{
	struct mock_vfio *mock = to_mock_vfio(vdev);

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return mock_vfio_get_info((void __user *)arg);
	case VFIO_DEVICE_RESET: {
		guard(mutex)(&mock->lock);
		memset(&mock->dma, 0, sizeof(mock->dma));
		memset(mock->window, 0, VHOST_IOMMU_MOCK_WINDOW_SIZE);
		return 0;
	}
	default:
		return -ENOTTY;
	}
}

/* Is [pos, pos + count) within [start, start + size)? */
static bool mock_within(u64 pos, size_t count, u64 start, u64 size)
{
	return pos >= start && pos - start <= size &&
	       count <= size - (pos - start);
}

static int mock_read_log(struct mock_device *mdev, u64 pos, char __user *buf,
			 size_t count)
{
	struct vhost_iommu_mock_log *log __free(kvfree) = mock_nest_log(mdev);

	if (!log)
		return -ENOMEM;
	return copy_to_user(buf, (void *)log + pos, count) ? -EFAULT : 0;
}

static ssize_t mock_vfio_read(struct vfio_device *vdev, char __user *buf,
			      size_t count, loff_t *ppos)
{
	struct mock_vfio *mock = to_mock_vfio(vdev);
	u64 pos = *ppos & GENMASK_ULL(MOCK_REGION_SHIFT - 1, 0);
	unsigned int index = *ppos >> MOCK_REGION_SHIFT;
	struct vhost_iommu_mock_nest nest;
	struct vhost_iommu_mock_ctl ctl;
	void *from;
	int rc;

	guard(mutex)(&mock->lock);

	if (mock->mdev->emulated && index > VHOST_IOMMU_MOCK_REGION_CTL)
		return -EINVAL;

	if (index == VHOST_IOMMU_MOCK_REGION_LOG &&
	    mock_within(pos, count, 0, sizeof(struct vhost_iommu_mock_log))) {
		rc = mock_read_log(mock->mdev, pos, buf, count);
		if (rc)
			return rc;
		*ppos += count;
		return count;
	}

	if (index == VHOST_IOMMU_MOCK_REGION_CTL &&
	    mock_within(pos, count, 0, sizeof(ctl))) {
		mock_iommu_stats(mock->mdev, &ctl);
		from = (void *)&ctl + pos;
	} else if (index == VHOST_IOMMU_MOCK_REGION_NEST &&
		   mock_within(pos, count, 0, sizeof(nest))) {
		mock_nest_stats(mock->mdev, &nest);
		from = (void *)&nest + pos;
	} else if (index == VHOST_IOMMU_MOCK_REGION_DMA &&
		   mock_within(pos, count, 0, sizeof(mock->dma))) {
		from = (void *)&mock->dma + pos;
	} else if (index == VHOST_IOMMU_MOCK_REGION_DMA &&
		   mock_within(pos, count, VHOST_IOMMU_MOCK_WINDOW,
			       VHOST_IOMMU_MOCK_WINDOW_SIZE)) {
		from = mock->window + pos - VHOST_IOMMU_MOCK_WINDOW;
	} else {
		return -EINVAL;
	}

	if (copy_to_user(buf, from, count))
		return -EFAULT;
	*ppos += count;
	return count;
}

static int mock_write_inject(struct mock_device *mdev, u64 pos,
			     const char __user *buf, size_t count)
{
	struct vhost_iommu_mock_inject inject[VHOST_IOMMU_MOCK_NR_INJECT];
	unsigned int i;

	scoped_guard(spinlock, &mdev->lock)
		memcpy(inject, mdev->ctl.inject, sizeof(inject));

	if (copy_from_user((void *)inject + pos, buf, count))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(inject); i++) {
		/* An operation that "fails" with 0 would be a success. */
		if (inject[i].error > MAX_ERRNO ||
		    (inject[i].count && !inject[i].error) ||
		    (inject[i].flags & ~(VHOST_IOMMU_MOCK_INJECT_F_BLOCK |
					 VHOST_IOMMU_MOCK_INJECT_F_COMMAND)))
			return -EINVAL;
	}

	guard(spinlock)(&mdev->lock);
	memcpy(mdev->ctl.inject, inject, sizeof(inject));
	return 0;
}

static int mock_write_dma(struct mock_vfio *mock, u64 pos,
			  const char __user *buf, size_t count)
{
	if (copy_from_user((void *)&mock->dma + pos, buf, count))
		return -EFAULT;
	if (pos < offsetof(struct vhost_iommu_mock_dma, status) &&
	    pos + count > offsetof(struct vhost_iommu_mock_dma, cmd))
		mock_dma_run(mock);
	return 0;
}

static ssize_t mock_vfio_write(struct vfio_device *vdev, const char __user *buf,
			       size_t count, loff_t *ppos)
{
	struct mock_vfio *mock = to_mock_vfio(vdev);
	u64 pos = *ppos & GENMASK_ULL(MOCK_REGION_SHIFT - 1, 0);
	unsigned int index = *ppos >> MOCK_REGION_SHIFT;
	u64 zero;
	int rc = -EINVAL;

	guard(mutex)(&mock->lock);

	if (mock->mdev->emulated && index > VHOST_IOMMU_MOCK_REGION_CTL)
		return -EINVAL;

	if (index == VHOST_IOMMU_MOCK_REGION_CTL &&
	    mock_within(pos, count, 0, sizeof(mock->mdev->ctl.inject))) {
		rc = mock_write_inject(mock->mdev, pos, buf, count);
	} else if (index == VHOST_IOMMU_MOCK_REGION_NEST) {
		rc = mock_nest_write(mock->mdev, pos, buf, count);
	} else if (index == VHOST_IOMMU_MOCK_REGION_LOG && !pos &&
		   count == sizeof(zero)) {
		rc = copy_from_user(&zero, buf, count) ? -EFAULT :
		     zero ? -EINVAL : 0;
		if (!rc)
			mock_nest_clear_log(mock->mdev);
	} else if (index == VHOST_IOMMU_MOCK_REGION_DMA &&
		   mock_within(pos, count, 0,
			       offsetof(struct vhost_iommu_mock_dma, status))) {
		rc = mock_write_dma(mock, pos, buf, count);
	} else if (index == VHOST_IOMMU_MOCK_REGION_DMA &&
		   pos == offsetof(struct vhost_iommu_mock_dma, pasid) &&
		   count == sizeof(mock->dma.pasid)) {
		rc = mock_write_dma(mock, pos, buf, count);
	} else if (index == VHOST_IOMMU_MOCK_REGION_DMA &&
		   mock_within(pos, count, VHOST_IOMMU_MOCK_WINDOW,
			       VHOST_IOMMU_MOCK_WINDOW_SIZE)) {
		pos -= VHOST_IOMMU_MOCK_WINDOW;
		rc = copy_from_user(mock->window + pos, buf, count) ?
		     -EFAULT : 0;
	}
	if (rc)
		return rc;
	*ppos += count;
	return count;
}

static const struct vfio_device_ops mock_vfio_ops = {
	.name = "vhost_iommu_mock",
	.init = mock_vfio_init,
	.release = mock_vfio_release,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.open_device = mock_vfio_open_device,
	.close_device = mock_vfio_close_device,
	.attach_ioas = mock_vfio_attach_ioas,
	.detach_ioas = mock_vfio_detach_ioas,
	.read = mock_vfio_read,
	.write = mock_vfio_write,
	.ioctl = mock_vfio_ioctl,
	.get_region_info_caps = mock_vfio_get_region_info,
};

static const struct vfio_device_ops mock_vfio_emulated_ops = {
	.name = "vhost_iommu_mock_emulated",
	.init = mock_vfio_init,
	.release = mock_vfio_release,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = mock_vfio_emulated_attach_ioas,
	.detach_ioas = mock_vfio_emulated_detach_ioas,
	.read = mock_vfio_read,
	.write = mock_vfio_write,
	.ioctl = mock_vfio_ioctl,
	.get_region_info_caps = mock_vfio_get_region_info,
};

/* The driver */

static int mock_probe(struct device *dev)
{
	bool emulated_dev = to_mock_device(dev)->emulated;
	struct mock_vfio *mock;
	int rc;

	mock = vfio_alloc_device(mock_vfio, vdev, dev,
				 emulated_dev ? &mock_vfio_emulated_ops :
						&mock_vfio_ops);
	if (IS_ERR(mock))
		return PTR_ERR(mock);

	if (emulated_dev)
		rc = vfio_register_emulated_iommu_dev(&mock->vdev);
	else
		rc = vfio_register_group_dev(&mock->vdev);
	if (rc) {
		vfio_put_device(&mock->vdev);
		return rc;
	}
	dev_set_drvdata(dev, mock);
	return 0;
}

static int mock_remove(struct device *dev)
{
	struct mock_vfio *mock = dev_get_drvdata(dev);

	vfio_unregister_group_dev(&mock->vdev);
	vfio_put_device(&mock->vdev);
	return 0;
}

struct device_driver mock_driver = {
	.name = "vhost_iommu_mock",
	.bus = &mock_bus,
	.owner = THIS_MODULE,
	.probe = mock_probe,
	.remove = mock_remove,
};
