#!/bin/sh
# Makes a small Debian root file system as a tar archive on stdout. Needs root and mmdebstrap.
set -eu
# Without a mirror named, mmdebstrap takes Debian's own, with updates and security fixes.
# Given to dpkg inside as well, so that packages installed later come without their manuals too.
exec mmdebstrap --quiet --variant=apt --include=usr-is-merged \
  --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr \
  --aptopt='APT::Install-Recommends "false"' \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/lintian/*' \
  --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/cache/debconf/*-old "$1"/var/log/*' \
  bookworm -
