// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidation commands of the mock's vIOMMUs
 *
 * The rules for Arm are those of the kernel's SMMUv3 driver (Linux 7.3): a
 * command with anything in it that the IOMMU does not have is refused with EIO,
 * and commands are executed in groups, so that those before the refused one in
 * its group are not.
 */
#include <linux/bitfield.h>
#include <linux/slab.h>

#include "iommufd/iommufd_test.h"
#include "mock.h"
#include "mock_smmu.h"

/* As the caller hands it over, and in the CPU's byte order. */
union mock_arm_cmd {
	struct iommu_viommu_arm_smmuv3_invalidate user;
	u64 word[2];
};

/* Is the range one that the architecture defines? */
static bool mock_arm_range_valid(u64 idr5, const u64 cmd[2])
{
	bool range = cmd[0] & (TLBI0_NUM | TLBI0_SCALE);
	u64 ttl = FIELD_GET(TLBI1_TTL, cmd[1]);
	u64 tg = FIELD_GET(TLBI1_TG, cmd[1]);

	if (!tg)
		return !range && !ttl;
	if (tg == TLBI1_TG_16K && ttl == 1 && !(idr5 & IDR5_DS))
		return false;
	return range || ttl;
}

static int mock_arm_check_cmd(const struct vhost_iommu_mock_config *config,
			      const u64 cmd[2])
{
	u64 asid = config->idr[0] & IDR0_ASID16 ? TLBI0_ASID : TLBI0_ASID8;
	bool ssid = config->idr[1] & IDR1_SSIDSIZE;
	bool ril = config->idr[3] & IDR3_RIL;
	u64 known[2] = { CMD0_OP };

	switch (FIELD_GET(CMD0_OP, cmd[0])) {
	case CMD_TLBI_NSNH_ALL:
		break;
	case CMD_TLBI_NH_ALL:
		known[0] |= TLBI0_VMID;
		break;
	case CMD_TLBI_NH_ASID:
		known[0] |= TLBI0_VMID | asid;
		break;
	case CMD_TLBI_NH_VA:
		known[0] |= asid;
		fallthrough;
	case CMD_TLBI_NH_VAA:
		known[0] |= TLBI0_VMID;
		known[1] |= TLBI1_VA | CMD1_LEAF;
		if (!ril)
			break;
		if (!mock_arm_range_valid(config->idr[5], cmd))
			return -EIO;
		known[0] |= TLBI0_NUM | TLBI0_SCALE;
		known[1] |= TLBI1_TTL | TLBI1_TG;
		if (!(config->idr[5] & IDR5_DS))
			known[0] &= ~TLBI0_SCALE_DS;
		break;
	case CMD_CFGI_CD:
		known[0] |= CMD0_SID;
		known[1] |= CMD1_LEAF;
		if (ssid)
			known[0] |= CMD0_SSID;
		break;
	case CMD_CFGI_CD_ALL:
		known[0] |= CMD0_SID;
		break;
	case CMD_ATC_INV:
		if (!(config->idr[0] & IDR0_ATS) ||
		    FIELD_GET(ATC1_SIZE, cmd[1]) > ATC1_SIZE_ALL)
			return -EIO;
		known[0] |= CMD0_SID;
		known[1] |= ATC1_SIZE | ATC1_ADDR;
		if (ssid)
			known[0] |= ATC0_SSV | CMD0_SSID | ATC0_GLOBAL;
		break;
	default:
		return -EIO;
	}
	return (cmd[0] & ~known[0]) || (cmd[1] & ~known[1]) ? -EIO : 0;
}

static struct mock_device *mock_find_device(struct iommufd_viommu *core,
					    u32 virt_id)
{
	struct device *dev;

	/* Devices stay as long as there is a vIOMMU. */
	xa_lock(&core->vdevs);
	dev = iommufd_viommu_find_dev(core, virt_id);
	xa_unlock(&core->vdevs);
	return dev ? to_mock_device(dev) : NULL;
}

static bool mock_arm_names_device(const u64 cmd[2])
{
	switch (FIELD_GET(CMD0_OP, cmd[0])) {
	case CMD_CFGI_CD:
	case CMD_CFGI_CD_ALL:
	case CMD_ATC_INV:
		return true;
	default:
		return false;
	}
}

/* The pages that a command by address is for. */
static void mock_arm_range(const u64 cmd[2], struct mock_tlb_inv *inv)
{
	u64 tg = FIELD_GET(TLBI1_TG, cmd[1]);
	unsigned int shift;
	u64 pages = 1;

	inv->by_page = true;
	inv->first = FIELD_GET(TLBI1_VA, cmd[1]);
	inv->leaf = cmd[1] & CMD1_LEAF;
	if (tg) {
		/* Granules of 4, 16 and 64 KiB */
		shift = 2 * (tg - 1) + FIELD_GET(TLBI0_SCALE, cmd[0]);
		pages = FIELD_GET(TLBI0_NUM, cmd[0]) + 1;
		pages = shift < 52 ? pages << shift : ~0ULL;
		inv->level = FIELD_GET(TLBI1_TTL, cmd[1]);
	}
	if (check_add_overflow(inv->first, pages - 1, &inv->last))
		inv->last = ~0ULL;
}

static void mock_arm_atc_inv(struct mock_device *mdev, const u64 cmd[2])
{
	u64 first = FIELD_GET(ATC1_ADDR, cmd[1]);
	u64 size = FIELD_GET(ATC1_SIZE, cmd[1]);
	bool ssv = cmd[0] & ATC0_SSV;
	u64 span = size < ATC1_SIZE_ALL ? BIT_ULL(size) - 1 : ~0ULL;

	mock_atc_invalidate(mdev, ssv && (cmd[0] & ATC0_GLOBAL),
			    ssv ? FIELD_GET(CMD0_SSID, cmd[0]) : 0,
			    first & ~span, first | span);
}

static void mock_arm_execute(struct mock_viommu *viommu, const u64 cmd[2],
			     struct mock_device *mdev)
{
	struct mock_tlb_inv inv = { .vmid = viommu->parent->id };

	switch (FIELD_GET(CMD0_OP, cmd[0])) {
	case CMD_CFGI_CD:
		mock_cd_invalidate(mdev, false, FIELD_GET(CMD0_SSID, cmd[0]));
		return;
	case CMD_CFGI_CD_ALL:
		mock_cd_invalidate(mdev, true, 0);
		return;
	case CMD_ATC_INV:
		mock_arm_atc_inv(mdev, cmd);
		return;
	case CMD_TLBI_NH_ASID:
		inv.by_asid = true;
		break;
	case CMD_TLBI_NH_VA:
		inv.by_asid = true;
		fallthrough;
	case CMD_TLBI_NH_VAA:
		mock_arm_range(cmd, &inv);
		break;
	}
	inv.asid = FIELD_GET(TLBI0_ASID, cmd[0]);
	mock_tlb_invalidate(viommu->iommu, &inv);
}

static void mock_log(struct mock_viommu *viommu, struct mock_device *mdev,
		     u64 word0, u64 word1)
{
	struct vhost_iommu_mock_log *log = viommu->iommu->log;
	struct vhost_iommu_mock_nest *stats = &viommu->iommu->stats;

	lockdep_assert_held(&viommu->iommu->lock);

	log->entry[log->count++ % VHOST_IOMMU_MOCK_LOG_SIZE] =
		(struct vhost_iommu_mock_log_entry){
			.vmid = viommu->parent->id,
			.call = stats->inv_calls,
			.sync = stats->inv_syncs,
			.device = mdev ? mdev->index : ~0U,
			.cmd = { word0, word1 },
		};
	stats->inv_commands++;
}

/*
 * Check one group of commands and execute it. Returns 0, or an error with @bad
 * set to the number in the group of the command that is to blame.
 */
static int mock_arm_group(struct mock_viommu *viommu, union mock_arm_cmd *cmds,
			  unsigned int nr, unsigned int *bad)
{
	struct mock_device *target[MOCK_SYNC_COMMANDS] = { };
	struct mock_iommu *iommu = viommu->iommu;
	unsigned int i;
	u64 *word;
	int rc;

	for (i = 0; i < nr; i++) {
		*bad = i;
		word = cmds[i].word;
		word[0] = le64_to_cpu(cmds[i].user.cmd[0]);
		word[1] = le64_to_cpu(cmds[i].user.cmd[1]);
		rc = mock_inject_iommu(iommu,
				       VHOST_IOMMU_MOCK_INJECT_INVALIDATE,
				       VHOST_IOMMU_MOCK_INJECT_F_COMMAND);
		if (rc)
			return rc;
		rc = mock_arm_check_cmd(&iommu->stats.config, word);
		if (rc)
			return rc;
		if (!mock_arm_names_device(word))
			continue;
		target[i] = mock_find_device(&viommu->core,
					     FIELD_GET(CMD0_SID, word[0]));
		if (!target[i])
			return -EIO;
	}

	rc = mock_inject_iommu(iommu, VHOST_IOMMU_MOCK_INJECT_INVALIDATE, 0);
	if (rc)
		return rc;

	guard(spinlock)(&iommu->lock);
	iommu->stats.inv_syncs++;
	for (i = 0; i < nr; i++) {
		mock_log(viommu, target[i], cmds[i].word[0], cmds[i].word[1]);
		mock_arm_execute(viommu, cmds[i].word, target[i]);
	}
	return 0;
}

static void mock_count_call(struct mock_iommu *iommu)
{
	guard(spinlock)(&iommu->lock);
	iommu->stats.inv_calls++;
}

static void mock_count_error(struct mock_iommu *iommu)
{
	guard(spinlock)(&iommu->lock);
	iommu->stats.inv_errors++;
}

static int mock_arm_run(struct mock_viommu *viommu, union mock_arm_cmd *cmds,
			unsigned int nr, unsigned int *done)
{
	unsigned int bad, group;
	int rc;

	for (*done = 0; *done < nr; *done += group) {
		group = min(nr - *done, MOCK_SYNC_COMMANDS);
		rc = mock_arm_group(viommu, cmds + *done, group, &bad);
		if (rc) {
			*done += bad;
			return rc;
		}
	}
	return 0;
}

/**
 * mock_cmd_arm() - See cache_invalidate of struct iommufd_viommu_ops
 * @core: The vIOMMU
 * @array: Commands
 *
 * Return: 0 or a negative errno.
 */
int mock_cmd_arm(struct iommufd_viommu *core,
		 struct iommu_user_data_array *array)
{
	const u32 type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3;
	struct mock_viommu *viommu = to_mock_viommu(core);
	union mock_arm_cmd *cmds __free(kvfree) =
		kvzalloc_objs(*cmds, array->entry_num);
	unsigned int done = 0;
	int rc;

	if (!cmds)
		return -ENOMEM;

	mock_count_call(viommu->iommu);
	static_assert(sizeof(*cmds) == sizeof(cmds->user));
	rc = iommu_copy_struct_from_full_user_array(cmds, sizeof(*cmds), array,
						    type);
	if (!rc)
		rc = mock_arm_run(viommu, cmds, array->entry_num, &done);
	if (rc)
		mock_count_error(viommu->iommu);
	array->entry_num = done;
	return rc;
}

static int mock_selftest_one(struct mock_viommu *viommu,
			     const struct iommu_viommu_invalidate_selftest *cmd)
{
	struct mock_iommu *iommu = viommu->iommu;
	struct mock_device *mdev;
	unsigned int i;
	int rc;

	rc = mock_inject_iommu(iommu, VHOST_IOMMU_MOCK_INJECT_INVALIDATE, 0) ?:
	     mock_inject_iommu(iommu, VHOST_IOMMU_MOCK_INJECT_INVALIDATE,
			       VHOST_IOMMU_MOCK_INJECT_F_COMMAND);
	if (rc)
		return rc;
	if (cmd->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (cmd->cache_id >= VHOST_IOMMU_MOCK_NR_CACHE)
		return -EINVAL;
	mdev = mock_find_device(&viommu->core, cmd->vdev_id);
	if (!mdev)
		return -EINVAL;

	guard(spinlock)(&iommu->lock);
	mock_log(viommu, mdev, cmd->flags | (u64)cmd->vdev_id << 32,
		 cmd->cache_id);
	for (i = 0; i < VHOST_IOMMU_MOCK_NR_CACHE; i++)
		if (cmd->flags || cmd->cache_id == i)
			mdev->cache[i] = 0;
	return 0;
}

/**
 * mock_cmd_selftest() - See cache_invalidate of struct iommufd_viommu_ops
 * @core: The vIOMMU
 * @array: Commands
 *
 * Return: 0 or a negative errno.
 */
int mock_cmd_selftest(struct iommufd_viommu *core,
		      struct iommu_user_data_array *array)
{
	const u32 type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST;
	struct iommu_viommu_invalidate_selftest *cmds __free(kvfree) =
		kvzalloc_objs(*cmds, array->entry_num);
	struct mock_viommu *viommu = to_mock_viommu(core);
	unsigned int done = 0;
	int rc;

	if (!cmds)
		return -ENOMEM;

	mock_count_call(viommu->iommu);
	/* An empty array asks whether the type is known. */
	if (!array->entry_num && array->type == type)
		return 0;

	rc = iommu_copy_struct_from_full_user_array(cmds, sizeof(*cmds), array,
						    type);
	while (!rc && done < array->entry_num) {
		rc = mock_selftest_one(viommu, &cmds[done]);
		done += !rc;
	}
	if (rc)
		mock_count_error(viommu->iommu);
	array->entry_num = done;
	return rc;
}
