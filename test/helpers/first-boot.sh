#!/bin/sh
# The first process of a machine that consists of namespaces: boots the Debian in $1 as cloud-init would on a cloud's
# instance, says how that ended, and lives on with what runs in there. There is no systemd: Debian's own init scripts
# start the services.
set -eu
root=$1
# Docker changes the flags of its root's mount, so that has to be one.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
# None of this machine's devices: nothing in there can touch its disks.
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s null "$root/dev/console"
ln -s /proc/self/fd "$root/dev/fd"
ip link set lo up
in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 chroot "$root" "$@"; }
{
  in_root cloud-init init --local
  in_root cloud-init init
  in_root cloud-init modules --mode=config
  in_root cloud-init modules --mode=final
} >"$root/var/log/cloud-init-output.log" 2>&1 || true
echo booted
while :; do sleep 1000 & wait; done
