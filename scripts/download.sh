#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Downloads packages of Debian into the current folder, as files; installs nothing.
# usage: scripts/download.sh PACKAGE...
#        scripts/download.sh --lists    only fetches apt's lists of packages
#
# Apt's own configuration holds, and what APT_CONFIG adds to it.
set -eu

die()
{
	echo "download.sh: $*" >&2
	exit 1
}

# A list that could not be fetched is told by apt itself; what is there may do.
fetch_lists()
{
	if [ "$(id -u)" = 0 ]; then
		apt-get -qq update
	elif command -v sudo >/dev/null; then
		sudo apt-get -qq update
	fi >&2 || true
}

case ${1-} in
'') die 'give the names of packages' ;;
--lists)
	echo "fetching the package lists"
	fetch_lists
	exit 0 ;;
esac
if ! apt-cache show "$@" >/dev/null 2>&1; then
	echo "fetching the package lists (to find $*)"
	fetch_lists
fi
echo "downloading $*"
# Root's downloads need no second user, which could not enter our folders.
sandbox=
[ "$(id -u)" != 0 ] || sandbox='-o APT::Sandbox::User=root'
apt-get -qq $sandbox download "$@" ||
	die "cannot download $*: check the network, or run apt-get update"
