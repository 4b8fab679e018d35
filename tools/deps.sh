#!/bin/sh
# Installs the Debian packages of $PACKAGES that are missing. Where that
# cannot be done it says what to put where; with -optional it is no failure,
# for the tests skip what they do not find, but in CI=true they may not.
set -u

optional=no
[ "${1:-}" = -optional ] && [ "${CI:-}" != true ] && optional=yes

missing=
if command -v dpkg-query >/dev/null 2>&1; then
	for p in $PACKAGES; do
		case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) in
		*"install ok installed"*) ;;
		*) missing="$missing $p" ;;
		esac
	done
else
	# No Debian: what counts is the files of the demo.
	for f in /usr/share/seabios/bios-256k.bin "$INSTALLER/linux" "$INSTALLER/initrd.gz"; do
		[ -e "$f" ] || missing="$missing $f"
	done
fi
[ -z "$missing" ] && exit 0

root=
if [ "$(id -u)" != 0 ]; then
	root=none
	command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && root=sudo
	# A person can type a password.
	[ "$root" = none ] && command -v sudo >/dev/null 2>&1 && [ -t 0 ] && root=sudo
fi

if command -v apt-get >/dev/null 2>&1 && [ "$root" != none ]; then
	echo "Installing:$missing"
	# The lists may be old or not there at all.
	if $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 ||
		{ $root apt-get update >/dev/null && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; }; then
		exit 0
	fi
	echo "The packages could not be installed:$missing" >&2
else
	echo "These are missing, and there is no apt-get, or no right to use it:$missing" >&2
fi

cat >&2 <<EOF
By hand:
  firmware    bios-256k.bin, bios.bin and vgabios-stdvga.bin of SeaBIOS (Debian package seabios;
              most systems have them with QEMU) in a directory that 'rhea system -L help' lists,
              for example ~/.local/share/qemu
  installer   linux and initrd.gz of the Debian 12 i386 netboot installer, from
              https://deb.debian.org/debian/dists/bookworm/main/installer-i386/current/images/netboot/debian-installer/i386/
              in $INSTALLER
              (or: make demo INSTALLER=directory)
EOF
[ "$optional" = yes ] && exit 0
exit 1
