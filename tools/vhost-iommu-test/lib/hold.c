// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory that keeps whoever touches it waiting. With it a test decides
 * what happens while the kernel is in the middle of something.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vit.h"

static int hold_register(struct hold *h, __u64 len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = {
		.range = { (__u64)(uintptr_t)h->va, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int rc;

	h->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (h->uffd < 0)
		return -errno;
	rc = xioctl(h->uffd, UFFDIO_API, &api);
	return rc ? rc : xioctl(h->uffd, UFFDIO_REGISTER, &r);
}

/**
 * hold_open() - Add a region of such memory to the guest
 * @h: Is filled
 * @v: VMM; closing it frees the region
 * @gpa: Guest-physical address
 * @len: Bytes, a multiple of the page size
 *
 * The region is in the memory table only, not in the RAM IOAS.
 */
int hold_open(struct hold *h, struct vmm *v, __u64 gpa, __u64 len)
{
	int rc;

	*h = (struct hold){ .uffd = -1, .gpa = gpa };
	if (v->nr_ram == VMM_MAX_RAM)
		return -ENOSPC;
	h->va = mmap(NULL, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->va == MAP_FAILED)
		return -ENOMEM;
	v->ram[v->nr_ram++] = (struct ram){
		.gpa = gpa, .size = len, .va = h->va, .memfd = -1,
	};
	rc = hold_register(h, len);
	return rc ? rc : vmm_set_mem_table(v);
}

/**
 * hold_over() - Let memory that is in use be such memory from now on
 * @h: Is filled
 * @va: Anonymous memory of the process, whose contents go
 * @len: Bytes, a multiple of the page size
 */
int hold_over(struct hold *h, void *va, __u64 len)
{
	int rc;

	*h = (struct hold){ .uffd = -1, .va = va };
	rc = hold_register(h, len);
	return rc ? rc : madvise(va, len, MADV_DONTNEED) ? -errno : 0;
}

/**
 * hold_close() - Let everybody have the memory
 * @h: From hold_open()
 */
void hold_close(struct hold *h)
{
	if (h->uffd >= 0)
		close(h->uffd);
	h->uffd = -1;
}

/**
 * hold_wait() - Wait until somebody waits for a page
 * @h: From hold_open()
 * @page: Where it is here
 * @timeout_ms: How long
 *
 * Return: 0 or -ETIMEDOUT
 */
int hold_wait(struct hold *h, char **page, unsigned int timeout_ms)
{
	struct pollfd p = { .fd = h->uffd, .events = POLLIN };
	struct uffd_msg m;

	if (poll(&p, 1, timeout_ms) != 1 ||
	    read(h->uffd, &m, sizeof(m)) != sizeof(m) ||
	    m.event != UFFD_EVENT_PAGEFAULT)
		return -ETIMEDOUT;
	*page = (char *)(uintptr_t)(m.arg.pagefault.address & ~(PAGE - 1));
	return 0;
}

/**
 * hold_give() - Let a page be there, with contents
 * @h: From hold_open()
 * @page: The page
 * @data: PAGE bytes
 */
int hold_give(struct hold *h, char *page, const void *data)
{
	struct uffdio_copy c = {
		.dst = (__u64)(uintptr_t)page,
		.src = (__u64)(uintptr_t)data,
		.len = PAGE,
	};

	return xioctl(h->uffd, UFFDIO_COPY, &c);
}

/**
 * hold_take() - Take a page away: whoever touches it next waits
 * @page: The page
 */
int hold_take(char *page)
{
	return madvise(page, PAGE, MADV_DONTNEED) ? -errno : 0;
}
