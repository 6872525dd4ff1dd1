#!/bin/sh
# Makes agentbox's base image from Debian packages alone, for machines that no image registry answers.
#
#   bootstrap.sh OUT.tar
#
# Writes a root file system as a tar archive, to be imported with the configuration of the Dockerfile beside this
# file (USER developer, WORKDIR /workspace, LANG and PATH); a change there belongs here too. Status goes to stderr,
# nothing to stdout; a failure is a non-zero exit, and leaves neither OUT.tar nor temporary files.
#
# Packages come from where this machine's own apt gets them: its mirrors, proxies and certificates. Environment:
#   AGENTBOX_BOOTSTRAP_SUITE   Debian release to install; default: this machine's on Debian, else bookworm
#   AGENTBOX_BOOTSTRAP_MIRROR  mirror to install from instead of this machine's
#   AGENTBOX_BOOTSTRAP_PACKAGES  further packages, with commas between them: how ../docker is made
set -eu

say() { echo "bootstrap: $*" >&2; }
fail() {
    say "error: $1"
    shift
    for line in "$@"; do say "hint: $line"; done
    exit 1
}

[ $# -eq 1 ] || fail "usage: bootstrap.sh OUT.tar"
output=$1

distribution=unknown
release=
if [ -r /etc/os-release ]; then
    distribution=$(. /etc/os-release && echo "${ID:-unknown}")
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
fi
if [ "$distribution" != debian ] || [ -z "$release" ]; then release=bookworm; fi
suite=${AGENTBOX_BOOTSTRAP_SUITE:-$release}

if ! command -v mmdebstrap >/dev/null 2>&1; then
    if [ "$distribution" = debian ] && [ "$(id -u)" = 0 ]; then
        say "mmdebstrap is missing: installing it with apt-get"
        # A machine that has no package lists yet needs them first.
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mmdebstrap >&2 || {
            apt-get update -q >&2 || fail "apt-get update failed" "apt-get update"
            DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mmdebstrap >&2 ||
                fail "mmdebstrap cannot be installed" "apt-get install mmdebstrap"
        }
    elif [ "$distribution" = debian ]; then
        fail "mmdebstrap is missing, and only root can install it" "sudo apt-get install mmdebstrap uidmap"
    else
        fail "mmdebstrap is missing; this system ($distribution) may package it" \
            "install mmdebstrap and apt (Ubuntu: sudo apt-get install mmdebstrap uidmap debian-archive-keyring), or let the engine reach an image registry"
    fi
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/agentbox-bootstrap.XXXXXXXX")
partial=$output.partial.$$
child=
clean() {
    if [ -n "$child" ]; then
        # mmdebstrap takes its mounts and its directory away itself when it is asked to end.
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    while read -r _ mounted _; do
        case $mounted in "$work"/*) umount -l "$mounted" 2>/dev/null || true ;; esac
    done </proc/mounts
    rm -rf --one-file-system "$work"
    rm -f "$partial"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# mmdebstrap in user namespace mode enters this directory as another user.
chmod 755 "$work"

# What this machine's apt needs in order to reach its mirrors. The box keeps none of it but the date checks,
# which belong to the mirror and not to the way there.
apt-config dump 2>/dev/null |
    grep -E '^Acquire::(http|https|ftp)::|^Acquire::(Retries|Check-Valid-Until|Check-Date|AllowInsecureRepositories|ForceIPv4) ' \
        >"$work/apt.conf" || true
grep -E '^Acquire::Check-' "$work/apt.conf" >"$work/keep.conf" || true

# The Debian archives among this machine's sources, by what their signed indexes say they are: third-party sources
# stay outside. apt knows that only once it has fetched them.
debian_sources() {
    apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(COMPONENT) $(CODENAME) $(RELEASE) $(REPO_URI)' 2>/dev/null |
        awk -v suite="$suite" '
            $1 == "Packages" && $2 == "Debian" && $3 == "main" && ($4 == suite || index($4, suite "-") == 1) {
                release = $5; sub(/\/$/, "", release)
                print "deb " $6 " " ($4 == suite || index(release, suite) == 1 ? release : $4) " main"
            }' | sort -u
}
sources=$work/sources.list
if [ -n "${AGENTBOX_BOOTSTRAP_MIRROR:-}" ]; then
    echo "deb $AGENTBOX_BOOTSTRAP_MIRROR $suite main" >"$sources"
else
    debian_sources >"$sources"
    if [ "$distribution" = debian ] && ! grep -q . "$sources" && [ "$(id -u)" = 0 ]; then
        say "apt has no package lists yet: fetching them"
        apt-get update -q >&2 || fail "apt-get update failed" "apt-get update"
        debian_sources >"$sources"
    fi
    if ! awk -v suite="$suite" '$3 == suite { found = 1 } END { exit !found }' "$sources"; then
        cat >"$sources" <<-SOURCES
			deb http://deb.debian.org/debian $suite main
			deb http://deb.debian.org/debian $suite-updates main
			deb http://deb.debian.org/debian-security $suite-security main
		SOURCES
    fi
fi

cat >"$work/customize.sh" <<'CUSTOMIZE'
set -eu
root=$1
chroot "$root" useradd --create-home --uid 1000 --user-group --shell /bin/bash developer
echo 'developer ALL=(ALL:ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/developer"
chmod 0440 "$root/etc/sudoers.d/developer"
mkdir -p "$root/workspace"
if chroot "$root" getent group docker >/dev/null; then chroot "$root" usermod --append --groups docker developer; fi
chroot "$root" chown developer:developer /workspace
# Boxes run without NET_RAW, and a file that asks for a capability outside the bounding set cannot even be started.
# Without it ping uses ICMP datagram sockets, which Docker allows every user of a container.
chroot "$root" python3 -c '
import os
ping = os.path.realpath("/usr/bin/ping")
if "security.capability" in os.listxattr(ping):
    os.removexattr(ping, "security.capability")
os.chmod(ping, 0o755)'
# The name of the building machine, its resolver and its proxies are no concern of a box.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/resolv.conf" "$root/etc/hostname" "$root/etc/machine-id"
: >"$root/etc/machine-id"
if [ -s "$2" ]; then cp "$2" "$root/etc/apt/apt.conf.d/90dates"; fi
rm -rf "$root"/var/log/apt "$root"/var/log/*.log "$root"/var/cache/debconf/*-old "$root"/usr/share/info/* \
    "$root"/usr/share/locale/* "$root"/usr/share/doc/*
# The directories of manual pages stay: update-alternatives fails where they are missing (PostgreSQL's package).
find "$root/usr/share/man" -type f -delete
mkdir -p "$root/usr/share/man/man1" "$root/usr/share/man/man7"
CUSTOMIZE

say "installing Debian $suite from $(awk -v suite="$suite" '$3 == suite { print $2; exit }' "$sources"); this takes about a minute"
# Docker fills /dev itself. The path exclusions stay in the image, so that what a box installs comes without
# documentation too.
TMPDIR=$work mmdebstrap --quiet --variant=minbase --format=tar --skip=output/dev \
    --include=bash,ca-certificates,curl,git,iproute2,iputils-ping,less,nodejs,procps,python3,sudo,tzdata"${AGENTBOX_BOOTSTRAP_PACKAGES:+,$AGENTBOX_BOOTSTRAP_PACKAGES}" \
    --aptopt="$work/apt.conf" \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt=force-unsafe-io \
    --customize-hook="sh '$work/customize.sh' \"\$1\" '$work/keep.conf'" \
    "$suite" "$partial" "$sources" >&2 &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -eq 0 ] || fail "mmdebstrap failed with exit code $status" "apt-get update"

mv "$partial" "$output"
say "done: $(($(stat -c %s "$output") / 1048576)) MiB"
