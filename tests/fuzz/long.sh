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

clang -std=gnu17 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined -Wno-gnu-statement-expression -iquote "$src" \
    "$here/fuzz_$name.c" "$src"/base/*.c "$src"/core/*.c "$src"/run/plan*.c \
    "$src"/sys/*.c "$src"/bin/options.c "$src"/bin/process_options.c "$src"/conf/*.c \
    -lcap -o "$work/fuzz-$name"

# What it finds new goes to the working folder; the corpus in the tree is only read.
cd "$work"
exec "./fuzz-$name" -artifact_prefix="$name-" "$@" "$name" "$here/corpus/$name"
