#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Removes the build directory, if it is one that this project has made.

no_build=1
. "$(dirname "$0")/lib.sh"

if [ ! -e "$build" ]; then
	say "clean: there is no $build"
	exit 0
fi
ours "$build" || die "clean: $build was not made here: nothing is removed"
# The marker goes last, so that an interrupted run can be repeated.  A link
# to a directory stays, and so does a mount point.
find "$build/" -mindepth 1 -maxdepth 1 ! -name "$marker" -exec rm -rf {} +
rm -f "$build/$marker"
rmdir "$build" 2>/dev/null || true
say "clean: removed $build"
