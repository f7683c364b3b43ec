// SPDX-License-Identifier: GPL-2.0
/*
 * What the KUnit suites for MMU notifiers share, see mmu_notifier_kunit.h.
 */

#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

/* -------------------------------- reports --------------------------------- */

/* What the thread of the test has caused since mn_expect_reports() */
static unsigned int reports[NR_MMU_NOTIFIER_FAULTS];
static const void *last_culprit;

static void report(enum mmu_notifier_fault fault,
		   const struct mmu_notifier_hook *hook, const void *culprit)
{
	reports[fault]++;
	last_culprit = culprit;
}

/* Expect @n reports of @fault, and none of anything else */
void mn_expect_reports(struct kunit *test, enum mmu_notifier_fault fault,
		       unsigned int n)
{
	unsigned int i;

	for (i = 0; i < NR_MMU_NOTIFIER_FAULTS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, reports[i], i == fault ? n : 0,
				    "fault %u", i);
		reports[i] = 0;
	}
}

void mn_expect_no_report(struct kunit *test)
{
	mn_expect_reports(test, NR_MMU_NOTIFIER_FAULTS, 0);
}

/* Expect one report of @fault that names @culprit */
void mn_expect_culprit(struct kunit *test, enum mmu_notifier_fault fault,
		       const void *culprit)
{
	mn_expect_reports(test, fault, 1);
	KUNIT_EXPECT_PTR_EQ(test, last_culprit, culprit);
	last_culprit = NULL;
}

/* ------------------------ a test and what it owns ------------------------- */

/*
 * A thread did not return. What it may still access stays allocated, and no
 * further test starts.
 */
static bool thread_lost;

int mn_test_init(struct kunit *test)
{
	if (!thread_lost)
		return 0;
	kunit_err(test, "a thread of an earlier test never returned\n");
	return -EBUSY;
}

/* Until the test ends, the reports come to it instead of the kernel log */
int mn_test_init_reports(struct kunit *test)
{
	int ret = mn_test_init(test);

	if (ret)
		return ret;
	memset(reports, 0, sizeof(reports));
	last_culprit = NULL;
	kunit_activate_static_stub(test, mmu_notifier_report, report);
	return 0;
}

bool mn_test_lost(void)
{
	return thread_lost;
}

/* Only for setting up: if it fails, the test has nothing to undo by hand */
void mn_test_defer(struct kunit *test, kunit_action_t *action, void *ctx)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, action, ctx), 0);
}

static void free_unless_lost(void *data)
{
	if (!thread_lost)
		kfree(data);
}

void *mn_test_alloc(struct kunit *test, size_t size)
{
	void *data = kzalloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, data);
	mn_test_defer(test, free_unless_lost, data);
	return data;
}

static void mm_drop(void *data)
{
	if (!thread_lost)
		mmdrop(data);
}

/*
 * As when a process exits, the owner is forgotten: it is the thread of the test, which
 * may be gone before the mm is.
 */
void mn_mmput(struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	WRITE_ONCE(mm->owner, NULL);
#endif
	mmput(mm);
}

static void mm_exit(void *data)
{
	if (!thread_lost)
		mn_mmput(data);
}

/* An empty address space that can be accessed even after it has exited */
struct mm_struct *mn_test_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mmgrab(mm);
	mn_test_defer(test, mm_drop, mm);
	mn_test_defer(test, mm_exit, mm);
	return mm;
}

/* Drop the test's reference as a user, which may be the last one */
void mn_test_mm_exit(struct kunit *test, struct mm_struct *mm)
{
	kunit_release_action(test, mm_exit, mm);
}

void mn_mmput_thread(void *mm)
{
	mmput(mm);
}

static int insert_vma(struct mm_struct *mm, struct vm_area_struct *vma,
		      struct file *file)
{
	int ret;

	mmap_write_lock(mm);
	if (file) {
		vma->vm_file = get_file(file);
		ret = call_mmap(file, vma) ?: insert_vm_struct(mm, vma);
	} else {
		vma_set_anonymous(vma);
		ret = insert_vm_struct(mm, vma) ?: anon_vma_prepare(vma);
	}
	mmap_write_unlock(mm);
	return ret;
}

/* One page at @start, private: of @file or, if NULL, anonymous */
struct vm_area_struct *mn_test_vma(struct kunit *test, struct mm_struct *mm,
				   unsigned long start, struct file *file)
{
	struct vm_area_struct *vma = vm_area_alloc(mm);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vma->vm_start = start;
	vma->vm_end = start + PAGE_SIZE;
	vm_flags_init(vma, VM_READ | VM_MAYREAD | VM_MIXEDMAP);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	KUNIT_ASSERT_EQ(test, insert_vma(mm, vma, file), 0);
	return vma;
}

static void put_file(void *data)
{
	if (!thread_lost)
		fput(data);
}

/* A file of one page, in memory */
struct file *mn_test_file(struct kunit *test)
{
	struct file *file = shmem_file_setup("mn_kunit", PAGE_SIZE,
					     VM_NORESERVE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	mn_test_defer(test, put_file, file);
	return file;
}

/* Expect that neither mmap_lock nor a reverse map lock of @mm is held */
void mn_expect_unlocked(struct kunit *test, struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	bool unlocked = mmap_read_trylock(mm);

	KUNIT_EXPECT_TRUE(test, unlocked);
	if (!unlocked)
		return;
	for_each_vma(vmi, vma) {
		if (vma->vm_file) {
			unlocked = i_mmap_trylock_write(vma->vm_file->f_mapping);
			KUNIT_EXPECT_TRUE(test, unlocked);
			if (unlocked)
				i_mmap_unlock_write(vma->vm_file->f_mapping);
		}
		if (vma->anon_vma) {
			unlocked = anon_vma_trylock_write(vma->anon_vma);
			KUNIT_EXPECT_TRUE(test, unlocked);
			if (unlocked)
				anon_vma_unlock_write(vma->anon_vma);
		}
	}
	mmap_read_unlock(mm);
}

/* --------------------------- gates and threads ---------------------------- */

struct mn_gate *mn_gate_alloc(struct kunit *test)
{
	struct mn_gate *gate = mn_test_alloc(test, sizeof(*gate));

	init_completion(&gate->reached);
	init_completion(&gate->resume);
	return gate;
}

void mn_gate_pass(struct mn_gate *gate)
{
	if (!gate)
		return;
	complete_all(&gate->reached);
	wait_for_completion(&gate->resume);
}

bool mn_gate_reached(struct mn_gate *gate)
{
	return wait_for_completion_timeout(&gate->reached, MN_DEADLOCK);
}

/* Once open, a gate stays open */
void mn_gate_open(struct mn_gate *gate)
{
	complete_all(&gate->resume);
}

static int thread_main(void *data)
{
	struct mn_thread *thread = data;

	thread->fn(thread->data);
	complete_all(&thread->done);
	return 0;
}

static void thread_cleanup(void *data)
{
	struct mn_thread *thread = data;

	if (mn_thread_join(thread))
		put_task_struct(thread->task);
}

struct mn_thread *mn_thread_run(struct kunit *test, void (*fn)(void *data),
				void *data)
{
	struct mn_thread *thread = mn_test_alloc(test, sizeof(*thread));
	struct task_struct *task;

	init_completion(&thread->done);
	thread->fn = fn;
	thread->data = data;
	task = kthread_create(thread_main, thread, "mn_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	thread->task = get_task_struct(task);
	wake_up_process(task);
	mn_test_defer(test, thread_cleanup, thread);
	return thread;
}

/* For a thread that must still be blocked */
bool mn_thread_returned(struct mn_thread *thread)
{
	return wait_for_completion_timeout(&thread->done, MN_CHANCE);
}

/* For a thread that must return although others are blocked */
bool mn_thread_completed(struct mn_thread *thread)
{
	return wait_for_completion_timeout(&thread->done, MN_DEADLOCK);
}

bool mn_thread_join(struct mn_thread *thread)
{
	if (thread->joined)
		return true;
	if (thread_lost)
		return false;
	thread->joined = wait_for_completion_timeout(&thread->done,
						     MN_DEADLOCK);
	thread_lost = !thread->joined;
	return thread->joined;
}

/* ------------------------------ a subscriber ------------------------------ */

static void listener_started(struct mn_listener *listener)
{
	/* A test that has many threads in here at once doesn't look at it. */
	data_race(listener->starts++);
	mn_gate_pass(listener->gate);
	if (listener->in_callback)
		listener->in_callback(listener);
}

static int listener_start(struct mmu_notifier *mn,
			  const struct mmu_notifier_range *range)
{
	struct mn_listener *listener = container_of(mn, struct mn_listener, mn);

	listener_started(listener);
	return mmu_notifier_range_blockable(range) ? 0 : listener->nonblock_ret;
}

static void listener_end(struct mmu_notifier *mn,
			 const struct mmu_notifier_range *range)
{
	/* As in listener_started() */
	data_race(container_of(mn, struct mn_listener, mn)->ends++);
}

static void listener_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	container_of(mn, struct mn_listener, mn)->releases++;
}

const struct mmu_notifier_ops mn_listener_ops = {
	.release		= listener_release,
	.invalidate_range_start	= listener_start,
	.invalidate_range_end	= listener_end,
};

const struct mmu_notifier_ops mn_listener_start_ops = {
	.invalidate_range_start	= listener_start,
};

static void listener_finished(struct mn_listener *listener)
{
	listener->finishes++;
	mn_gate_pass(listener->finish_gate);
	if (listener->in_finish)
		listener->in_finish(listener);
}

static void listener_start_finish(struct mmu_notifier *mn,
				  const struct mmu_notifier_range *range)
{
	listener_finished(container_of(mn, struct mn_listener, mn));
}

const struct mmu_notifier_ops mn_listener_passes_ops = {
	.invalidate_range_start		= listener_start,
	.invalidate_range_start_finish	= listener_start_finish,
	.invalidate_range_end		= listener_end,
};

static bool listener_invalidate(struct mmu_interval_notifier *interval,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq)
{
	mmu_interval_set_seq(interval, cur_seq);
	listener_started(container_of(interval, struct mn_listener, interval));
	return true;
}

const struct mmu_interval_notifier_ops mn_interval_ops = {
	.invalidate	= listener_invalidate,
};

static bool listener_invalidate_start(struct mmu_interval_notifier *interval,
				      const struct mmu_notifier_range *range,
				      unsigned long cur_seq,
				      struct mmu_interval_notifier_finish **finish)
{
	*finish = &container_of(interval, struct mn_listener, interval)->finish;
	return listener_invalidate(interval, range, cur_seq);
}

static void listener_invalidate_finish(struct mmu_interval_notifier_finish *finish)
{
	listener_finished(container_of(finish, struct mn_listener, finish));
}

const struct mmu_interval_notifier_ops mn_interval_passes_ops = {
	.invalidate_start	= listener_invalidate_start,
	.invalidate_finish	= listener_invalidate_finish,
};

/* Neither registered nor inserted */
struct mn_listener *mn_listener_alloc(struct kunit *test)
{
	struct mn_listener *listener = mn_test_alloc(test, sizeof(*listener));

	listener->mn.ops = &mn_listener_ops;
	return listener;
}

/* Registered; the test unregisters it */
struct mn_listener *mn_listener_new(struct kunit *test, struct mm_struct *mm)
{
	struct mn_listener *listener = mn_listener_alloc(test);

	listener->mm = mm;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	return listener;
}

int mn_interval_insert(struct mn_listener *listener, struct mm_struct *mm)
{
	return mmu_interval_notifier_insert(&listener->interval, mm, mn_page(0),
					    PAGE_SIZE, &mn_interval_ops);
}

/* For in_callback(): for longer than a tick, as one may be about to end */
void mn_sleep_inside(struct mn_listener *listener)
{
	schedule_timeout_uninterruptible(2);
}

/* Inserted for page 0; the test removes it */
struct mn_listener *mn_interval_new(struct kunit *test, struct mm_struct *mm)
{
	struct mn_listener *listener = mn_listener_alloc(test);

	listener->mm = mm;
	KUNIT_ASSERT_EQ(test, mn_interval_insert(listener, mm), 0);
	return listener;
}

/* As mn_listener_new(), with two passes */
struct mn_listener *mn_listener_passes_new(struct kunit *test,
					   struct mm_struct *mm)
{
	struct mn_listener *listener = mn_listener_alloc(test);

	listener->mm = mm;
	listener->mn.ops = &mn_listener_passes_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	return listener;
}

/* As mn_interval_new(), with two passes */
struct mn_listener *mn_interval_passes_new(struct kunit *test,
					   struct mm_struct *mm)
{
	struct mn_listener *listener = mn_listener_alloc(test);

	listener->mm = mm;
	KUNIT_ASSERT_EQ(test,
			mmu_interval_notifier_insert(&listener->interval, mm,
						     mn_page(0), PAGE_SIZE,
						     &mn_interval_passes_ops),
			0);
	return listener;
}

/* Describes an invalidation of page 0 */
void mn_range_init(struct mmu_notifier_range *range, struct mm_struct *mm)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, mn_page(0),
				mn_page(1));
}

/* Describes an invalidation of @nr pages from page @first on */
void mn_range_init_at(struct mmu_notifier_range *range, struct mm_struct *mm,
		      unsigned int first, unsigned int nr)
{
	mmu_notifier_range_init_owner(range, MMU_NOTIFY_CLEAR, 0, mm,
				      mn_page(first), mn_page(first + nr),
				      range);
}

/* Without a lock, so that a callback may take it */
void mn_invalidate(struct mm_struct *mm)
{
	struct mmu_notifier_range range;

	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

/* As the mm does */
void mn_invalidate_at(struct mm_struct *mm, unsigned int first,
		      unsigned int nr)
{
	struct mmu_notifier_range range;

	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, first, nr);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
}

void mn_invalidate_thread(void *mm)
{
	mn_invalidate_at(mm, 0, 1);
}

int mn_invalidate_nonblock(struct mm_struct *mm)
{
	struct mmu_notifier_range range;
	int ret;

	mn_range_init(&range, mm);
	ret = mmu_notifier_invalidate_range_start_nonblock(&range);
	if (!ret)
		mmu_notifier_invalidate_range_end(&range);
	return ret;
}

/* As the OOM reaper does */
int mn_invalidate_nonblock_at(struct mm_struct *mm, unsigned int first,
			      unsigned int nr)
{
	struct mmu_notifier_range range;
	int ret;

	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, first, nr);
	ret = mmu_notifier_invalidate_range_start_nonblock(&range);
	if (!ret)
		mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	return ret;
}
