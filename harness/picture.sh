#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Draws the picture of README.md, harness/docs/architecture.svg, from
# architecture.dot beside it.  The drawing names the source that it was made
# from, so that check readme can tell when it is out of date.

. "$(dirname "$0")/lib.sh"

source=$top/harness/docs/architecture.dot
picture=$top/harness/docs/architecture.svg

dot -Tsvg "$source" >"$picture.new" || die "picture: dot cannot draw $source"
echo "<!-- Drawn from $(basename "$source") $(hash <"$source") -->" >>"$picture.new"
mv "$picture.new" "$picture"
say "picture: $picture"
