# SPDX-License-Identifier: GPL-2.0
# The front door. Every verb is a target; what it needs, it makes.

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))
# The scripts know what may run in parallel: see JOBS.
.NOTPARALLEL:

# The groups of harness/setup.sh that the targets need besides the tree's.  What
# is missing for any of them is reported at the start.
needs_docs := docs
needs_kernel := kernel
needs_kunit := kernel kunit
needs_check := kernel check
needs_selftests := kernel boot
needs_stress := kernel boot
needs_torture := kernel boot torture
needs_races := kernel boot
needs_variants := kernel boot
needs_leaks := kernel boot
needs_mutate := kernel boot
needs_test-upstream := kernel boot upstream
needs_arches := kernel arches
needs_each := kernel boot
needs_bench := kernel boot bench
needs_bench-quick := kernel boot bench
needs := $(sort $(foreach goal,$(MAKECMDGOALS),$(needs_$(goal))))

help: ## list the targets
	@echo 'Usage: make TARGET [VARIABLE=VALUE]...'
	@echo 'To begin with: make demo, make test.  README.md says more.'
	@echo
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='	' read -r name text; do \
			printf '  %-13s %s\n' "$$name" "$$text"; done
	@echo
	@echo 'Variables:'
	@echo '  LINUX=DIR|TARBALL  the 6.12 kernel to start from (default, also if empty:'
	@echo '                     Debian'"'"'s linux-source-6.12)'
	@echo '  BUILD=DIR          where everything is built (default: build): a directory that is'
	@echo '                     new, empty or was made here'
	@echo '  JOBS=N             compile jobs and emulated machines (default: one per CPU)'
	@echo '  SEEDS="N..."       the seeds of stress (default: 1 to 24)'
	@echo '  ARCHES="ARCH..."   the architectures of arches (default: all)'
	@echo '  DEBUG_KERNELS=...  the debug kernels of test: debug (default), kcsan'
	@echo '  SETUP=no           do not look for missing programs'

setup: ## install the Debian packages that are missing, or list them
	@harness/setup.sh

tree: ## make the git tree build/linux: tags pristine, base, series
	@harness/setup.sh tree $(needs)
	@harness/tree.sh

series: ## write the series as mail to build/series, for git am
	@harness/series.sh

replace: ## write build/replace.patch, one patch from pristine to series
	@harness/replace.sh

kernel: tree ## build the kernel of the emulated host
	@harness/kernel.sh host

kunit: tree ## run the KUnit tests under UML
	@harness/kunit.sh

check: tree ## run the static checks: parity, checkpatch, sparse, users of the API
	@harness/check.sh

docs: tree ## build the HTML of our documentation, without a warning
	@harness/docs.sh

picture: ## redraw the picture of README.md
	@harness/setup.sh docs
	@harness/picture.sh

demo: ## run a KVM guest larger than its host's RAM and see it swap
	@harness/demo.sh

test: ## run the checks, KUnit, models, boots, guests and selftests
	@harness/test.sh

selftests: kernel ## run the selftests of the software secondary MMU
	@harness/selftests.sh

stress: tree ## run a random mix of what changes page tables, for SEEDS, on KASAN
	@harness/kernel.sh debug
	@KERNEL=debug SEEDS="$${SEEDS:-$$(echo $$(seq 24))}" \
		harness/selftests.sh stress

torture: tree ## run stress-ng under a software secondary MMU of each class
	@harness/kernel.sh $${KERNEL:-debug}
	@harness/torture.sh

races: tree ## run the selftests and stress with a detector of data races
	@harness/kernel.sh kcsan
	@KERNEL=kcsan harness/selftests.sh

variants: tree ## run the selftests with lockdep on static keys, and MGLRU on
	@harness/kernel.sh locks
	@KERNEL=locks SEEDS="$${SEEDS:-1 2 3}" harness/selftests.sh

leaks: tree ## run the selftests and stress with a detector of memory leaks
	@harness/kernel.sh debug
	@KERNEL=debug LEAKS=1 harness/selftests.sh

mutate: tree ## silence each hook in turn, which a test must notice
	@harness/kernel.sh debug
	@harness/mutate.sh

test-upstream: tree ## run the kernel's KVM and mm selftests, on pristine and on ours
	@harness/upstream.sh

arches: tree ## compile what the series touches for other architectures
	@harness/arches.sh $(ARCHES)

each: kernel ## compile every patch, with and without CONFIG_MMU_NOTIFIER
	@harness/kernel.sh nommu_notifier
	@harness/initramfs.sh
	@harness/boot.sh -k nommu_notifier -l boot-nommu_notifier boot notifier=n
	@harness/each.sh

bench: tree ## measure what they cost: pristine, ours, and without MMU notifiers
	@harness/bench.sh

bench-quick: tree ## measure the most important rows of bench
	@harness/bench.sh quick

model: ## check the models of the protocols, and that their mutants fail
	@harness/setup.sh model
	@harness/model.sh

clean: ## remove what was built, all of BUILD
	@harness/clean.sh

.DEFAULT:
	@echo "error: there is no target '$@': 'make help' lists them" >&2; exit 1
