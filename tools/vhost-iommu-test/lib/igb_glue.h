/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's user-space igb driver behind plain C types: its headers and
 * those of the rest of this tool don't go together.
 */
#ifndef VHOST_IOMMU_TEST_IGB_GLUE_H
#define VHOST_IOMMU_TEST_IGB_GLUE_H

struct igb_glue;

struct igb_glue *igb_glue_new(const char *name, int fd);
void igb_glue_free(struct igb_glue *g);
int igb_glue_start(struct igb_glue *g, void *va, unsigned long long iova,
		   unsigned long len);
int igb_glue_copy(struct igb_glue *g, unsigned long long src,
		  unsigned long long dst, unsigned int len, unsigned int count);

#endif /* VHOST_IOMMU_TEST_IGB_GLUE_H */
