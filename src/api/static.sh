#!/bin/sh
# SPDX-License-Identifier: MIT
#
# static.sh DIR OUTPUT OBJCOPY AR API.a FLOOR.a… -- CC…
#
# Links the first archive, and what it needs of the others, into one object; makes every name local
# that is not public; and puts the object into the archive OUTPUT.
set -eu

dir=$1 output=$2 objcopy=$3 ar=$4
shift 4
api=$1
shift
floors=
while [ "$1" != -- ]; do
    floors="$floors $1"
    shift
done
shift

mkdir -p "$dir"
# Paths of build directories have no spaces: the build tool refuses them.
# shellcheck disable=SC2086
"$@" -r -nostdlib -o "$dir/brood.o" \
    -Wl,--whole-archive "$api" -Wl,--no-whole-archive -Wl,--start-group $floors -Wl,--end-group
"$objcopy" --localize-hidden "$dir/brood.o"
rm -f "$output"
"$ar" rcs "$output" "$dir/brood.o"
