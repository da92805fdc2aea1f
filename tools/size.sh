#!/bin/sh
# SPDX-License-Identifier: MIT
# size.sh SIZE OBJDIR FOLDER...: text, data and bss of the library's objects per source folder.
set -eu
size=$1 dir=$2
shift 2
printf '%-12s %8s %8s %8s\n' folder text data bss
for folder in "$@"; do
    files=
    for source in "$folder"/*.c "$folder"/*.S; do
        [ -f "$source" ] || continue
        files="$files $dir/$(echo "${source%.*}" | tr / _).o"
    done
    [ -n "$files" ] || continue
    # shellcheck disable=SC2086
    $size $files | awk -v f="$folder" 'NR > 1 {t += $1; d += $2; b += $3} END {printf "%-12s %8d %8d %8d\n", f, t, d, b}'
done | awk '{print; t += $2; d += $3; b += $4} END {printf "%-12s %8d %8d %8d\n", "total", t, d, b}'
