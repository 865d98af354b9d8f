#!/bin/sh
# SPDX-License-Identifier: MIT
# embed.sh NAME INPUT OUTPUT: a text file as a C string constant.
set -eu
{
    printf '/* Made from %s. */\nextern const char %s[];\nconst char %s[] =\n' "${2##*/}" "$1" "$1"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$2"
    printf ';\n'
} >"$3"
