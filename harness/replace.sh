#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Writes build/replace.patch, the one patch that takes a pristine tree to the
# series, for those who carry patches.  It applies with "git apply" and with
# "patch -p1"; that the former gives exactly the series is checked.

. "$(dirname "$0")/lib.sh"

patch=$build/replace.patch

in_tree() { git -C "$linux" "$@"; }

# verify: the patch takes the pristine tree to the series, in an index of its own
verify() {
	export GIT_INDEX_FILE=$patch.index
	rm -f "$GIT_INDEX_FILE"
	in_tree read-tree pristine
	in_tree apply --cached --check "$patch"
	in_tree apply --cached "$patch"
	[ "$(in_tree write-tree)" = "$(in_tree rev-parse 'series^{tree}')" ] ||
		die "replace: the patch does not lead to the series"
}

"$top/harness/tree.sh"
fixed_git
trap 'rm -f "$patch.new" "$patch.index"' EXIT
in_tree -c core.abbrev=12 diff --binary --no-renames pristine series >"$patch.new"
mv "$patch.new" "$patch"
step "replace: apply to pristine" replace.log verify
say "replace: $(grep -c '^diff --git' "$patch") files change by $patch"
