#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# faults.sh: the static checks can fail.  A kernel tree of a few lines passes each
# of them; then faults are put into it, each in turn, that the check for them must
# find.  consumers, warnings and programs, which compile, are not tested.  Prints
# "FAIL CASE" for each fault that is missed.

. "$(dirname "$0")/../lib.sh"
scripts=$linux
. "$top/harness/check/fixture.sh"

here=$top/harness/check
tree=$tmp/tree
export BUILD=$tmp/out MOVED=$tmp/moved
: >"$MOVED"

git_in() {
	git -C "$tree" -c user.name=fault -c user.email=fault@kernel.example "$@"
}

# file PATH: standard input becomes a file of the tree
file() {
	mkdir -p "$(dirname "$tree/$1")"
	cat >"$tree/$1"
}

# commit TAG: what the tree has
commit() {
	git_in add -A -f
	git_in commit -q -m "mm: $1" -m "One more commit." \
		-m 'Signed-off-by: fault <fault@kernel.example>' ||
		die "faults: the commit $1 changes nothing"
	git_in tag -f "$1" >/dev/null
}

# hooks: a function that notifies, and one that asks
hooks() {
	cat <<'END'
// SPDX-License-Identifier: GPL-2.0
static void zap(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	clear(mm);
	flush(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static bool young(struct vm_area_struct *vma, unsigned long addr, pte_t *pte)
{
	return ptep_clear_young_notify(vma, addr, pte);
}
END
}

# no_hooks: the same in the base, where comments and subscribers may have the names
no_hooks() {
	hooks | grep -v -e mmu_notifier -e '^$' | sed s/_notify//
	echo '/* mmu_notifier is explained elsewhere. */'
}

# hooks_table: what the documentation has of them
hooks_table() {
	cat <<'END'
.. SPDX-License-Identifier: GPL-2.0

======= =========== ========= =========
Hook    Notifies of Range     Caught by
======= =========== ========= =========
**mm/memory.c**
zap()   CLEAR       the range munmap
young() clear_young the page  none
**KVM's steps**
KVM     flush       n/a       kernel
======= =========== ========= =========
END
}

# make_tree: the tags pristine, base and series.  It has the kernel's scripts that
# the checks run, and the files by which checkpatch recognises a kernel tree.
make_tree() {
	local name
	mkdir "$tree"
	git_in init -q
	for name in Documentation arch include drivers fs init ipc kernel lib; do
		file $name/Kconfig </dev/null
	done
	for name in COPYING CREDITS Kbuild MAINTAINERS README; do
		file $name </dev/null
	done
	for name in checkpatch.pl kernel-doc spelling.txt const_structs.checkpatch; do
		git -C "$scripts" show "pristine:scripts/$name" | file scripts/$name
	done
	chmod +x "$tree"/scripts/*
	printf 'allyesconfig:\n\tcp Kconfig $(O)/.config\n' | file Makefile
	file Kconfig <<<'CONFIG_MMU=y'
	hooks | file mm/memory.c
	file virt/kvm/kvm_main.c <<'END'
// SPDX-License-Identifier: GPL-2.0
static void zap_all(struct kvm *kvm)
{
}
END
	commit pristine
	no_hooks | file mm/memory.c
	file mm/hmm.c <<<'int mmu_interval_subscriber;'
	commit base
	hooks | file mm/memory.c
	file mm/new.c <<'END'
// SPDX-License-Identifier: GPL-2.0
/**
 * f() - return a number
 * @x: the number
 *
 * Return: @x.
 */
int f(int x)
{
	return x;
}
END
	hooks_table | file Documentation/mm/mmu_notifier_hooks.rst
	file tools/testing/selftests/mm/mmu_notifier_test.c <<'END'
// SPDX-License-Identifier: GPL-2.0
TEST(munmap) {}
END
	file virt/kvm/mmu_notifier.c <<'END'
// SPDX-License-Identifier: GPL-2.0
bool flush = !mmu_notifier_suppressed("flush");
END
	file Documentation/new.rst <<'END'
.. SPDX-License-Identifier: GPL-2.0
.. kernel-doc:: mm/new.c
   :identifiers: f
END
	commit series
}

check() {
	case $1 in
	base)	"$here/base.sh" "$tree" base ;;
	parity)	"$here/parity.sh" "$tree" pristine series ;;
	cocci|scripts) "$here/$1.sh" "$project" ;;
	layout|readme|top) "$project/harness/check/$1.sh" ;;
	*)	"$here/$1.sh" "$tree" ;;
	esac
}

# finds CHECK PATTERN: CHECK must fail, and say PATTERN
finds() {
	cases=$((cases + 1))
	! check "$1" >"$said" 2>&1 && grep -qE "$2" "$said" || wrong "$1: $2"
}

# fault CHECK PATTERN FILE EDIT: CHECK must find what the perl expression EDIT has
# made of FILE
fault() {
	local tag=series good
	[ "$1" != base ] || tag=base
	good=$(git_in rev-parse "$tag^{commit}")
	git_in checkout -q -f --detach "$good"
	git_in clean -q -f -d -x
	[ -e "$tree/$3" ] || file "$3" </dev/null
	perl -0777 -pi -e "$4" "$tree/$3"
	commit "$tag"
	finds "$1" "$2"
	git_in tag -f "$tag" "$good" >/dev/null
}

# A hook is gone, says something else, or is not where it was.
parity_faults() {
	fault parity 'MISSING.*zap.*range_start' mm/memory.c \
		's/\tmmu_notifier_invalidate_range_start\(&range\);\n//'
	fault parity 'MISSING.*zap.*range_end' mm/memory.c \
		's/\tmmu_notifier_invalidate_range_end\(&range\);\n//'
	fault parity 'MISSING.*young.*ptep_clear_young_notify' mm/memory.c \
		's/ptep_clear_young_notify/ptep_test_and_clear_young/'
	fault parity 'MISSING.*zap.*range_end' mm/memory.c \
		's/(\tmmu_notifier_invalidate_range_end.*\n)(}\n)/$2\nvoid g(void)\n{\n$1$2/'
	fault parity 'DIFFERS.*zap.*range_init' mm/memory.c 's/MMU_NOTIFY_CLEAR/MMU_NOTIFY_UNMAP/'
	fault parity 'DIFFERS.*zap.*range_init' mm/memory.c 's/start, end\);/start, end - 1);/'
	fault parity 'DIFFERS.*young.*notify' mm/memory.c 's/vma, addr, pte\);/vma, 0, pte);/'
	fault parity 'PLACE.*zap.*range_end' mm/memory.c \
		's/(\tflush.mm.;\n)(\tmmu_notifier_invalidate_range_end.*\n)/$2$1/'
	fault parity 'PLACE.*zap.*range_end' mm/memory.c \
		's/\t(mmu_notifier_invalidate_range_end)/\tif (mm)\n\t\t$1/'
	echo 'nonsense' >"$MOVED"
	finds parity '^BAD.*nonsense'
	echo 'mm/memory.c:f nothing -> mm/memory.c:f : it never was there' >"$MOVED"
	finds parity '^STALE.*nothing'
	echo 'mm/memory.c -> mm/new.c : it never was there' >"$MOVED"
	finds parity '^STALE.*new'
	fault parity 'MISSING.*zap.*range_start' mm/memory.c \
		's/\tmmu_notifier_invalidate_range_start\(&range\);\n//'
	echo 'ptep_clear_young_notify -> ptep_age(vma, addr, pte) : it never was' >"$MOVED"
	finds parity '^STALE.*ptep_age'
	fault parity 'MISSING.*young.*ptep_clear_young_notify' mm/memory.c \
		's/ptep_clear_young_notify/ptep_test_and_clear_young/'
	: >"$MOVED"
}

# The table of hooks lacks one, has one too many, or names a test that is not there.
hooks_faults() {
	local document=Documentation/mm/mmu_notifier_hooks.rst

	fault hooks 'NO ROW mm/memory.c zap\(\) CLEAR' $document 's/zap.*\n//'
	fault hooks 'NO ROW mm/memory.c more\(\) test_young' mm/memory.c \
		's/\z/void more(void)\n{\n\tmmu_notifier_test_young(mm, 0);\n}\n/'
	fault hooks 'NO ROW mm/memory.c more\(\) clear_young' mm/memory.c \
		's/\z/void more(void)\n{\n\tmmu_notifier_clear_young_pages(pages);\n}\n/'
	fault hooks 'NO ROW mm/memory.c young\(\) clear_young' mm/memory.c \
		's/(\treturn ptep_clear_young_notify.*\n)/$1$1/'
	fault hooks 'NO ROW arch/arm/ f\(\) secondary_tlbs' arch/arm/tlb.h \
		's/\z/void f(void)\n{\n\tmmu_notifier_arch_invalidate_secondary_tlbs(mm, 0, 1);\n}\n/'
	fault hooks 'APART mm/memory.c:6' mm/memory.c \
		's/(\tmmu_notifier_range_init.*\n)/$1\tmmap_read_lock(mm);\n/'
	fault hooks 'NO ROW steps KVM seq' virt/kvm/mmu_notifier.c \
		's/\z/bool seq = mmu_notifier_suppressed("seq");\n/'
	fault hooks 'NO HOOK mm/memory.c zap\(\) UNMAP' $document 's/CLEAR/UNMAP/'
	fault hooks 'NO HOOK mm/mmap.c zap\(\) CLEAR' $document 's/memory.c/mmap.c/'
	fault hooks 'NO TEST mm/memory.c zap\(\) CLEAR munmapp' $document 's/munmap/munmapp/'
	fault hooks 'NO TEST .* munmap' tools/testing/selftests/mm/mmu_notifier_test.c \
		's/munmap/mremap/'
}

# A function of KVM that others may call now
statics_faults() {
	fault statics '^zap_all is static' virt/kvm/kvm_main.c 's/static //'
}

# Something is left in the base.
base_faults() {
	fault base 'mm/memory.c:.*mmu_notifier' mm/memory.c \
		's/\z/void leftover(void)\n{\n\tmmu_notifier_release(NULL);\n}\n/'
	fault base 'Kconfig: CONFIG_MMU_NOTIFIER' Kconfig 's/\z/CONFIG_MMU_NOTIFIER=y\n/'
	fault base 'Kconfig: allyesconfig failed' Makefile 's/allyesconfig/noconfig/'
}

# A patch violates the kernel's style; a comment does not describe its function, or
# a document includes a comment that does not exist.
patch_faults() {
	fault checkpatch 'ERROR' mm/memory.c 's/\z/int  f( void ){ return(0); }\n/'
	fault kernel-doc 'new.c.*not described' mm/new.c 's/int x\)/int x, int y)/'
	fault kernel-doc 'no file mm/nowhere.c' Documentation/new.rst 's/new.c/nowhere.c/'
	fault kernel-doc 'nosuchfunction. not found' Documentation/new.rst \
		's/: f/: nosuchfunction/'
}

# A file of the fixture's project has no place.
strays() {
	local file
	for file in scratch new/file Documentation/mm/notifier.rst mm/memory.c.cocci \
		base/notes base/mm/memory.c series/notes harness/scratch.sh \
		harness/config/scratch.config harness/check/scratch.sh; do
		mkdir -p "$(dirname "$project/$file")"
		echo "scratch scratch.sh" >"$project/$file"
		finds layout "^$file: "
		rm "$project/$file"
	done
	sed -i /demo.sh/d "$project/Makefile"
	finds layout '^harness/demo.sh: nothing refers to it'
}

# edited CHECK PATTERN FILE EDIT: as fault, but FILE is the fixture's project's
edited() {
	cp "$project/$3" "$tmp/edited"
	perl -0777 -pi -e "$4" "$project/$3"
	finds "$1" "$2"
	cp "$tmp/edited" "$project/$3"
}

# README.md says what is no longer so.
readme_faults() {
	edited readme '^NO ROW.*demo run' README.md 's/\| `demo`.*\n//'
	edited readme '^NO ROW.*demo run a guest' Makefile 's/(demo: ## ).*/$1run a guest/'
	edited readme '^NOT in the Makefile.*demo' Makefile 's/\ndemo: ##/\ndemo: #/'
	edited readme '^NO ROW.*SEEDS' README.md 's/\| `SEEDS`.*\n//'
	edited readme '^NOT in the Makefile.*SEEDS' Makefile 's/SEEDS=/SEED=/'
	edited readme '^OLD .*architecture.svg' harness/docs/architecture.dot 's/\z/\n/'
}

# mmu_notifier_top prints what is no JSON, takes a number that is cut off for one, or
# leaves the terminal as it was not.
top_faults() {
	local files=tools/mm/mmu_notifier_top

	mkdir -p "$project/tools"
	cp -r "$top/tools/mm" "$project/tools"
	holds 'top passes without a fault' check top
	edited top '^FAIL escapes' ${files}_json.c "s/\*s == '\"' \|\| //"
	edited top '^FAIL a file that is cut off' ${files}_sample.c \
		's/(\tif \(\*line)(\)\n\t\tsample->unread)/$1 && !read_line(sample, &mm, line)$2/'
	edited top '^FAIL a terminal' $files.c 's/TCSANOW, &screen.saved/TCSANOW, \&keys/;
		s/\tif \(!screen.live\)\n\t\treturn;/\tstruct termios keys = { 0 };\n\n$&/'
	rm -r "$project/tools"
}

make_tree
cp -r "$top/README.md" "$top/.ci" "$project"
for name in layout readme; do
	holds "$name passes without a fault" check $name
done
printf '@@\n@@\n- f();\n' >"$project/fault.c.cocci"
for name in parity hooks statics base checkpatch kernel-doc cocci; do
	holds "$name passes without a fault" check $name
done
parity_faults
hooks_faults
statics_faults
base_faults
patch_faults
printf '@@\n@@\n- f((;\n' >"$project/fault.c.cocci"
finds cocci 'fault.c.cocci: .*f\(\(;'
rm "$project/fault.c.cocci"
holds 'scripts passes without a fault' check scripts
printf '#!/bin/bash\nrm -r $1/dir\n' >"$project/harness/fault.sh"
finds scripts 'fault.sh line 2'
printf '#!/bin/sh\nlist=(1 2)\n' >"$project/harness/fault.sh"
finds scripts 'fault.sh line 2'
rm "$project/harness/fault.sh"
readme_faults
top_faults
strays
finish
