#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# docs.sh: builds the HTML of Documentation/mm and trace, which have our pages, in
# $build/docs.
# A warning about one of our pages, or about a file of ours that they take text
# from, is an error.  Warnings about other pages are ignored.

. "$(dirname "$0")/lib.sh"

out=$build/docs
html=$out/Documentation/output
warnings=$logs/docs-warnings.txt

added() { git -C "$linux" diff --name-only --diff-filter=A base series -- "$@"; }

# Otherwise Sphinx would not repeat its warnings about unchanged pages.
rm -rf "$out"
mkdir "$out"
# YNL_INDEX: pages made from YAML would be written into the source tree.
step "docs" docs.log kernel_make "$linux" "$out" SPHINXDIRS='mm trace' YNL_INDEX= htmldocs
grep -iE 'warning|error' "$logs/docs.log" | grep -F "$(added)" >"$warnings" || true
[ ! -s "$warnings" ] || {
	cat "$warnings" >&2
	die "docs: $(wc -l <"$warnings") warnings about our pages; log: $logs/docs.log"
}
pages=0
for page in $(added 'Documentation/*.rst'); do
	page=${page#Documentation/}
	page=${page%.rst}.html
	[ -s "$html/$page" ] || die "docs: there is no $html/$page; log: $logs/docs.log"
	pages=$((pages + 1))
done
[ $pages -gt 0 ] || die "docs: the series adds no page"
say "docs: $pages pages without a warning; begin with $html/mm/mmu_notifier.html"
