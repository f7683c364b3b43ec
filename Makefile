# SPDX-License-Identifier: GPL-2.0
# The front door. Every verb is a target; what it needs, it makes.

.DEFAULT_GOAL := help
.PHONY: help setup tree series kernel kunit check demo test \
	selftests stress races leaks mutate test-upstream model each clean

help: ## list the targets
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='	' read -r name text; do \
			printf '  %-13s %s\n' "$$name" "$$text"; done
	@echo
	@echo 'Variables:'
	@echo '  LINUX=DIR|TARBALL  the 6.12 kernel to start from (default: Debian'"'"'s linux-source-6.12)'
	@echo '  BUILD=DIR          where everything is built (default: build)'
	@echo '  JOBS=N             compile jobs and emulated machines (default: one per CPU)'
	@echo '  SEEDS="N..."       the seeds of stress (default: 1 to 24)'
	@echo '  DEBUG_KERNELS=...  those of test: debug (default), kcsan'

setup: ## install the Debian packages that are missing, or say which
	@harness/setup.sh

tree: ## make the kernel tree build/linux: tags pristine, base, series
	@harness/setup.sh
	@harness/tree.sh

series: ## write the series as mail in build/series, for git am
	@harness/setup.sh
	@harness/series.sh

kernel: tree ## build the kernel of the emulated host
	@harness/kernel.sh host

kunit: tree ## run the KUnit tests under UML
	@harness/kunit.sh

check: tree ## static checks: parity, checkpatch, sparse, users of the API
	@harness/check.sh

demo: ## run a KVM guest larger than its host's RAM and see it swap
	@harness/demo.sh

test: ## run everything: checks, KUnit, boots, guests, KVM selftests
	@harness/test.sh

selftests: kernel ## run the selftests of the software secondary MMU
	@harness/selftests.sh

stress: tree ## a random mix of what changes page tables, for SEEDS, on KASAN
	@harness/kernel.sh debug
	@KERNEL=debug SEEDS="$${SEEDS:-$$(echo $$(seq 24))}" \
		harness/selftests.sh stress

races: tree ## run the selftests and stress with a detector of data races
	@harness/kernel.sh kcsan
	@KERNEL=kcsan harness/selftests.sh

leaks: tree ## run the selftests and stress with a detector of lost memory
	@harness/kernel.sh debug
	@KERNEL=debug LEAKS=1 harness/selftests.sh

mutate: tree ## silence one hook after the other: does a test notice?
	@harness/kernel.sh debug
	@harness/mutate.sh

test-upstream: tree ## the kernel's KVM and mm selftests, on pristine and on ours
	@harness/upstream.sh

each: kernel ## compile every patch, with and without CONFIG_MMU_NOTIFIER
	@harness/kernel.sh nommu_notifier
	@harness/each.sh

model: ## check the models of the protocols with spin, and their mutants
	@harness/setup.sh
	@harness/model.sh

clean: ## remove build/
	rm -rf build
