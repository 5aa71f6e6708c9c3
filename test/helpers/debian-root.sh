#!/bin/sh
# Makes a Debian root file system with cloud-init, as a cloud's image has it, as a tar archive on stdout. Beside it, in
# /srv/packages, is a repository with all that Docker needs, so that its first boot takes no network. Needs root.
set -eu
exec mmdebstrap --quiet --variant=apt --include=usr-is-merged \
  --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr \
  --aptopt='APT::Install-Recommends "false"' \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --include=cloud-init,openssh-server,sudo,systemd,procps,iproute2 \
  --customize-hook='chroot "$1" apt-get install --quiet --yes --download-only docker.io >&2' \
  --customize-hook='mkdir -p "$1"/srv/packages && mv "$1"/var/cache/apt/archives/*.deb "$1"/srv/packages/' \
  --customize-hook='cd "$1"/srv/packages && for deb in *.deb; do
    dpkg-deb --field "$deb"
    echo "Filename: ./$deb"
    echo "Size: $(stat --format=%s "$deb")"
    echo "SHA256: $(sha256sum "$deb" | cut -d " " -f 1)"
    echo
  done > Packages' \
  --customize-hook='echo "deb [trusted=yes] file:/srv/packages ./" > "$1"/etc/apt/sources.list' \
  --customize-hook='rm -rf "$1"/etc/apt/sources.list.d/* "$1"/var/lib/apt/lists/* "$1"/var/log/*' \
  bookworm -
