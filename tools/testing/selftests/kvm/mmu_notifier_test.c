// SPDX-License-Identifier: GPL-2.0
/*
 * Test that the guest notices in time what the host does to its memory.
 *
 * vCPUs go over a memory region again and again, and read and write it, while the
 * host protects, unmaps, moves, swaps, shares and replaces its pages.  What each
 * side must see of the other's writes is in mmu_notifier/guest.h.
 *
 * While a range is read-only or unmapped, the vCPUs must get stuck in it, and none
 * of their lines may change.
 */
#include "mmu_notifier/paths.h"

struct test test = {
	.nvcpus = 2,
	.fd = -1,
	.iterations = 4,
	.src = DEFAULT_VM_MEM_SRC,
};

static const struct path paths[] = {
	{ "mprotect",		path_mprotect,		ALL },
	{ "drop",		path_drop,		ALL },
	{ "zap",		path_zap,		SHMEM | SHUGE },
	{ "pageout",		path_pageout,		ANON | SHMEM },
	{ "reclaim",		path_reclaim,		ANON | SHMEM },
	{ "batch",		path_batch,		ANON },
	{ "deferred",		path_deferred,		ANON },
	{ "deferred-log",	path_deferred_log,	ANON },
	{ "working-set",	path_working_set,	ANON | SHMEM },
	{ "free",		path_free,		ANON },
	{ "mremap",		path_mremap,		ALL },
	{ "remap",		path_remap,		ANON | HUGE },
	{ "fork",		path_fork,		ANON | HUGE },
	{ "ksm",		path_ksm,		ANON },
	{ "thp",		path_thp,		ANON },
	{ "soft-offline",	path_soft_offline,	ANON | SHMEM },
	{ "compact",		path_compact,		ANON | SHMEM },
	{ "numa",		path_numa,		ANON | SHMEM },
	{ "uffd-missing",	path_uffd_missing,	ALL },
	{ "uffd-minor",		path_uffd_minor,	SHMEM | SHUGE },
	{ "uffd-wp",		path_uffd_wp,		ALL },
	{ "uffd-move",		path_uffd_move,		ANON },
	{ "postcopy",		path_postcopy,		ANON | SHMEM },
	{ "soft-dirty",		path_soft_dirty,	ANON | SHMEM },
	{ "idle",		path_idle,		ANON | SHMEM },
	{ "age",		path_age,		ANON | SHMEM },
	{ "young",		path_young,		ANON },
	{ "storm",		path_storm,		ALL },
	{ "sequence",		path_sequence,		ANON },
	{ "private",		path_private,		ANON },
};

/* The first failure is reported, and ends the test. */
void fail(const char *format, ...)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	va_list args;

	pthread_mutex_lock(&once);
	printf("# path %s, %s: ", test.path->name, test.doing);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	ksft_test_result_fail("%s\n", test.path->name);
	ksft_print_cnts();
	fflush(stdout);
	_exit(KSFT_FAIL);
}

static void run_path(const struct path *path)
{
	const char *skipped = NULL;

	test.path = path;
	test.doing = "start";
	test.count = 0;
	test.counted = "times";
	if (!(path->sources & test.kind)) {
		skipped = "not for this kind of memory";
	} else {
		reset_memory();
		test.doing = "run";
		skipped = path->run();
		park_vcpus();
		test.doing = "end";
		if (!skipped && test.control->writes &&
		    test.control->mode == GUEST_SWEEP)
			check_lines(all_pages());
	}

	if (skipped)
		ksft_test_result_skip("%s: %s\n", path->name, skipped);
	else
		ksft_test_result_pass("%s: %lu %s\n", path->name, test.count,
				      test.counted);
	fflush(stdout);
}

static void create_vm(void)
{
	struct kvm_vcpu *vcpus[MAX_VCPUS];
	struct userspace_mem_region *code;

	test.vm = __vm_create_with_vcpus(VM_SHAPE_DEFAULT, test.nvcpus,
					 test.npages * 2, guest_code, vcpus);
	create_memory();
	create_checks();
	/* The guest's code and stack are not what is tested. */
	code = memslot2region(test.vm, 0);
	TEST_ASSERT(!madvise(code->host_mem, code->region.memory_size,
			     MADV_DONTFORK), "madvise(MADV_DONTFORK)");
	start_vcpu_threads(vcpus);
}

static void help(const char *name)
{
	printf("usage: %s [-h] [-v vCPUs] [-b bytes] [-s source] [-p path]\n", name);
	printf("       [-i iterations] [-r seed] [-d] [-u]\n\n");
	printf(" -v: number of vCPUs (2)\n");
	printf(" -b: size of the memory, like 4M (4M, or four huge pages)\n");
	backing_src_help("-s");
	print_paths(paths, ARRAY_SIZE(paths));
	printf(" -i: number of iterations of each path (4)\n");
	printf(" -r: seed of the random numbers (1)\n");
	printf(" -d: enable dirty logging\n");
	printf(" -u: run only postcopy, with memory that arrives by userfaultfd\n");
	exit(0);
}

int main(int argc, char *argv[])
{
	bool chosen[ARRAY_SIZE(paths)] = {};
	size_t i, size = 0, n = 0;
	unsigned int seed = 1;
	int opt;

	while ((opt = getopt(argc, argv, "hv:b:s:p:i:r:du")) != -1) {
		switch (opt) {
		case 'v':
			test.nvcpus = atoi_positive("Number of vCPUs", optarg);
			TEST_ASSERT(test.nvcpus <= MAX_VCPUS, "At most %d vCPUs",
				    MAX_VCPUS);
			break;
		case 'b':
			size = parse_size(optarg);
			break;
		case 's':
			test.src = parse_backing_src_type(optarg);
			break;
		case 'p':
			n += choose_path(chosen, optarg, paths, ARRAY_SIZE(paths));
			break;
		case 'i':
			test.iterations = atoi_positive("Number of iterations", optarg);
			break;
		case 'r':
			seed = atoi_non_negative("Seed", optarg);
			break;
		case 'd':
			test.dirty_log = true;
			break;
		case 'u':
			n += choose_path(chosen, "postcopy", paths, ARRAY_SIZE(paths));
			break;
		default:
			help(argv[0]);
		}
	}

	ksft_print_header();
	srandom(seed);
	choose_memory(size);
	create_vm();

	ksft_print_msg("%s, %u vCPUs, %lu pages, seed %u%s\n",
		       vm_mem_backing_src_alias(test.src)->name, test.nvcpus,
		       test.npages, seed, test.dirty_log ? ", dirty log" : "");
	ksft_set_plan(n ?: ARRAY_SIZE(paths));
	for (i = 0; i < ARRAY_SIZE(paths); i++)
		if (!n || chosen[i])
			run_path(&paths[i]);
	fflush(stdout);
	ksft_finished();
}
