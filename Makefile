# SPDX-License-Identifier: GPL-2.0-only
#
# Without a goal: build vhost_iommu.ko for the kernel whose build tree is KDIR,
# with KSRC the source of that kernel (distributions' header packages lack
# drivers/vhost/vhost.h). guest-module builds the driver for guests.

KDIR ?= /lib/modules/$(shell uname -r)/build
KSRC ?= $(firstword $(patsubst %/drivers/vhost/vhost.h,%,$(wildcard \
	$(KDIR)/drivers/vhost/vhost.h $(KDIR)/source/drivers/vhost/vhost.h)) \
	$(KDIR))
MO ?= $(CURDIR)/build/module
GUEST_MO ?= $(CURDIR)/build/guest-module
DESTDIR ?=
PREFIX ?= /usr/local
UDEVDIR ?= /usr/lib/udev/rules.d
MODLOADDIR ?= /usr/lib/modules-load.d
TESTS ?=
lab := lab/lab

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)/drivers/vhost MO=$(abspath $(MO)) \
	 KSRC=$(abspath $(KSRC)) CONFIG_VHOST_IOMMU=m

guest-kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)/drivers/iommu \
	       MO=$(abspath $(GUEST_MO)) CONFIG_VIRTIO_IOMMU_TABLE=m

module: have-source	## build the module for the kernel in KDIR, source in KSRC (default goal)
	@mkdir -p $(MO)
	+$(kbuild) modules

install: have-source	## install the module, the udev rule, the modules-load entry and vhost-iommu-stat
	+$(kbuild) $(if $(DESTDIR),INSTALL_MOD_PATH=$(abspath $(DESTDIR))) modules_install
	install -D -m 644 packaging/60-vhost-iommu.rules $(DESTDIR)$(UDEVDIR)/60-vhost-iommu.rules
	install -D -m 644 packaging/vhost-iommu.conf $(DESTDIR)$(MODLOADDIR)/vhost-iommu.conf
	install -D -m 755 tools/vhost-iommu-stat/vhost-iommu-stat $(DESTDIR)$(PREFIX)/bin/vhost-iommu-stat

guest-module:		## build the driver for guests whose kernel's build tree is KDIR
	@mkdir -p $(GUEST_MO)
	+$(guest-kbuild) modules

guest-install:		## install the driver for guests
	+$(guest-kbuild) $(if $(DESTDIR),INSTALL_MOD_PATH=$(abspath $(DESTDIR))) modules_install

check:			## the tests: static checks, user-mode Linux, emulated Arm host
	@$(lab) check

check-static:		## checkpatch, sparse, compilers and kernels, shellcheck, ...
	@scripts/check-static

kunit:			## unit and device tests in user-mode Linux; TESTS= are arguments of the test tool
	@$(lab) kunit $(TESTS)

check-hw:		## tests with emulated PCI devices and SMMU; TESTS= as for kunit
	@$(lab) hardware $(TESTS)

check-long:		## those that take hours, too
	@$(lab) check --long

check-x86:		## the tests in the emulated x86 host, with IOMMUs of Intel and of AMD
	@$(lab) check-x86

demo:			## a device's DMA allowed and denied; a guest's network with each vIOMMU
	@$(lab) demo

bench:			## guests with each vIOMMU side by side; QUICK=1, TESTS=--help, see lab/README.md
	@$(lab) bench $(TESTS)

shell:			## a shell in the emulated Arm host
	@$(lab) shell

lab-gdb:		## the emulated Arm host, stopped, with gdb and all symbols
	@$(lab) gdb

cache-list:		## show what the lab has built once and keeps, and where
	@$(lab) cache-list

cache-clean:		## delete what this tree does not use from the lab's cache
	@$(lab) cache-clean

clean:			## delete build/
	rm -rf build

help:			## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */#/' | \
		awk -F'#' '{ printf "make %-13s %s\n", $$1, $$2 }'

have-source:
	@test -e "$(KSRC)/drivers/vhost/vhost.h" || { \
	echo "error: no drivers/vhost/vhost.h below KSRC ($(KSRC))." >&2; \
	echo "Give the kernel's build tree and its source (7.2 or later):" >&2; \
	echo "  make KDIR=/lib/modules/RELEASE/build KSRC=/usr/src/linux-source-7.3" >&2; \
	exit 1; }

.PHONY: module install guest-module guest-install check check-static kunit \
	check-hw check-long check-x86 demo bench shell lab-gdb cache-list cache-clean \
	clean help have-source
