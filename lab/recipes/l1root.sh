#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# l1root.sh DIRECTORY: finish the extracted packages as a root file system.
# Nothing of it is run here: its programs are for another architecture.
set -eu

cd "$1"
# busybox brings what the packages lack, but must not hide what they have
mkdir -p busybox lab results opt dev proc sys run tmp root
# shellcheck disable=SC2013 # words is what they are
for applet in $(sed '/^#/d' "${0%/*}/l1.applets"); do
	ln -sf /usr/bin/busybox "busybox/$applet"
done
ln -sf bash usr/bin/sh
: >etc/resolv.conf
printf 'root:x:0:0:root:/root:/bin/bash\n' >etc/passwd
printf 'root:x:0:\nkvm:x:104:\n' >etc/group
printf '127.0.0.1 localhost l1\n' >etc/hosts

# Of no use here, and half of the size
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info
rm -rf usr/share/AAVMF/*[Ss]ecboot* usr/share/AAVMF/*.no-secboot.*
rm -rf var/cache/apt var/lib/apt/lists

# All that differs between runs comes with the disk of tools
cat >init <<'END'
#!/usr/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/busybox
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -o ro /dev/vdb /lab && exec /lab/init
echo "init: the disk of tools is missing or has no init"
echo o >/proc/sysrq-trigger
sleep 10
END
chmod 755 init
