#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzes one target with libFuzzer: long.sh NAME [libFuzzer options]. See README.md.
set -eu

name=${1:?"usage: long.sh NAME [libFuzzer options]"}
shift
here=$(cd "$(dirname "$0")" && pwd)
src=$here/../../src
work=${FUZZ_DIR:-$here/../../build-fuzz}
mkdir -p "$work/$name"

further=
if [ "$name" = varlink ]; then
    for interface in io.brood org.varlink.service; do
        "$src/wire/embed.sh" "interface_$(echo $interface | tr . _)" \
            "$src/wire/$interface.varlink" "$work/$interface.c"
        further="$further $work/$interface.c"
    done
    further="$further $(echo "$src"/wire/*.c "$src"/up/control*.c "$src"/loop/*.c)"
    further="$further $src/run/report.c $here/../up/fake_engine.c -ljansson -luring"
fi

clang -std=gnu17 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined -Wno-gnu-statement-expression -iquote "$src" \
    "$here/fuzz_$name.c" $further "$src"/base/*.c "$src"/core/*.c "$src"/run/plan*.c \
    "$src"/sys/*.c "$src"/bin/options.c "$src"/bin/process_options.c "$src"/conf/*.c \
    -lcap -o "$work/fuzz-$name"

# What it finds new goes to the working folder; the corpus in the tree is only read.
cd "$work"
exec "./fuzz-$name" -artifact_prefix="$name-" "$@" "$name" "$here/corpus/$name"
