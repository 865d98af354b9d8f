# SPDX-License-Identifier: MIT
# Sourced by the other scripts: sees to it that packages are there.

# need_packages PACKAGE…: installs the Debian packages that are missing, with sudo where not root.
# A machine without apt is told what to install, and goes on if it has the tools all the same.
need_packages() {
    local missing=() package sudo=()
    if ! command -v apt-get >/dev/null; then
        if command -v meson >/dev/null && pkg-config --exists liburing libcap jansson; then
            return 0
        fi
        {
            echo "This is not Debian: please install what these packages of Debian 12 hold, then try again:"
            printf '  %s\n' "$@"
        } >&2
        return 1
    fi
    for package in "$@"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            missing+=("$package")
        fi
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        sudo=(sudo)
        if ! command -v sudo >/dev/null; then
            echo "Please install as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
    fi
    echo "Installing: ${missing[*]}" >&2
    # A first try with the lists that are there; they may be missing or old.
    install_packages "${missing[@]}" && return 0
    "${sudo[@]}" apt-get update -q >&2
    install_packages "${missing[@]}"
}

# install_packages PACKAGE…: some are servers that the tests run themselves; none is started here.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '"${sudo[@]}" rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" install -m 755 /dev/stdin "$policy"
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$@" >&2
)

BUILD_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config liburing-dev libcap-dev
    libjansson-dev)
TEST_PACKAGES=(libcriterion-dev python3 python3-pytest python3-pytest-xdist g++ binutils libevent-dev
    clang clang-format libcap2-bin util-linux procps systemd zsh fish strace wrk golang-go
    golang-github-varlink-go-dev lighttpd redis-server haproxy nginx-light zstd)
