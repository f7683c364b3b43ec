// SPDX-License-Identifier: GPL-2.0
/*
 * Software secondary MMU for testing MMU notifiers: the device.
 *
 * It maps pages of a process without holding references to them, in one of the
 * ways that real secondary MMUs do (see enum test_mn_class), and verifies every
 * translation that it uses against the CPU's page tables.  A stale translation is
 * reported and dropped.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>
#include <linux/xarray.h>

#include "test_mmu_notifier.h"

#define MAX_ACCESS	4096
#define MAX_DELAY	60000000
#define MAX_CLEAN	512		/* pages */
#define LAST_EVENT	MMU_NOTIFY_EXCLUSIVE

static_assert(LAST_EVENT + 1 == TEST_MN_EVENTS);

struct test_file {
	struct rw_semaphore sem;	/* for writing: attach and detach */
	struct test_mmu *mmu;
	struct test_delay delays[TEST_MN_POINTS];
};

union test_args {
	struct test_mn_attach attach;
	struct test_mn_fault fault;
	struct test_mn_access access;
	struct test_mn_check check;
	struct test_mn_stats stats;
	struct test_mn_stale stale;
	struct test_mn_delay delay;
	struct test_mn_clean clean;
};

static bool bad_range(u64 addr, u64 len)
{
	return !len || addr >= TASK_SIZE || len > TASK_SIZE - addr;
}

static int test_attach(struct test_file *file, union test_args *args)
{
	struct test_mn_attach *attach = &args->attach;
	bool interval = attach->kind == TEST_MN_INTERVAL;
	struct test_mmu *mmu;
	int ret;

	if (attach->class < TEST_MN_PAGE_TABLE || attach->class > TEST_MN_DEFER ||
	    attach->kind < TEST_MN_HLIST || attach->kind > TEST_MN_INTERVAL ||
	    attach->flags)
		return -EINVAL;
	if (interval && (attach->class == TEST_MN_TLB ||
			 attach->class == TEST_MN_SVA ||
			 attach->class == TEST_MN_DEFER))
		return -EINVAL;
	if (interval && (bad_range(attach->start, attach->len) ||
			 offset_in_page(attach->start | attach->len)))
		return -EINVAL;
	if (!interval && (attach->start || attach->len))
		return -EINVAL;
	if (file->mmu)
		return -EEXIST;

	mmu = kzalloc(sizeof(*mmu), GFP_KERNEL);
	if (!mmu)
		return -ENOMEM;
	mmu->mm = current->mm;
	mmu->class = attach->class;
	mmu->kind = attach->kind;
	mmu->delays = file->delays;
	xa_init(&mmu->entries);
	spin_lock_init(&mmu->lock);
	spin_lock_init(&mmu->log_lock);
	init_waitqueue_head(&mmu->wait);

	ret = test_mn_subscribe(mmu, attach);
	if (ret) {
		kfree(mmu);
		return ret;
	}
	file->mmu = mmu;
	return 0;
}

static int test_detach(struct test_file *file, union test_args *args)
{
	struct test_mmu *mmu = file->mmu;

	if (!mmu)
		return -ENOENT;
	test_mn_unsubscribe(mmu);
	xa_destroy(&mmu->entries);
	kfree(mmu);
	file->mmu = NULL;
	return 0;
}

static int test_fault(struct test_file *file, union test_args *args)
{
	struct test_mn_fault *arg = &args->fault;
	u64 addr, end = arg->addr + arg->len;
	int ret;

	if (bad_range(arg->addr, arg->len) || arg->write > 1 || arg->reserved)
		return -EINVAL;
	for (addr = arg->addr & PAGE_MASK; addr < end; addr += PAGE_SIZE) {
		ret = test_mn_map(file->mmu, addr, arg->write);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static int access_range(struct test_mmu *mmu, unsigned long addr,
			unsigned long len, struct test_access *access)
{
	unsigned long part;
	int ret;

	for (; len; len -= part, addr += part) {
		part = min(len, PAGE_SIZE - offset_in_page(addr));
		ret = test_mn_access_page(mmu, addr, part, access);
		if (ret)
			return ret;
		access->buffer += part;
	}
	return 0;
}

static int test_access(struct test_file *file, struct test_mn_access *arg,
		       enum test_access_how how)
{
	void __user *user = u64_to_user_ptr(arg->buffer);
	struct test_access access = { .how = how };
	void *buffer;
	int ret;

	if (bad_range(arg->addr, arg->len) || arg->len > MAX_ACCESS ||
	    arg->value)
		return -EINVAL;

	buffer = kmalloc(arg->len, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	access.buffer = buffer;
	if (how == ACCESS_WRITE && copy_from_user(buffer, user, arg->len))
		ret = -EFAULT;
	else
		ret = access_range(file->mmu, arg->addr, arg->len, &access);
	if (!ret && how == ACCESS_READ && copy_to_user(user, buffer, arg->len))
		ret = -EFAULT;
	kfree(buffer);
	return ret;
}

static int test_read(struct test_file *file, union test_args *args)
{
	return test_access(file, &args->access, ACCESS_READ);
}

static int test_write(struct test_file *file, union test_args *args)
{
	return test_access(file, &args->access, ACCESS_WRITE);
}

static int test_fetch_add(struct test_file *file, union test_args *args)
{
	struct test_mn_access *arg = &args->access;
	struct test_access access = {
		.how = ACCESS_FETCH_ADD,
		.value = arg->value,
	};
	int ret;

	if (bad_range(arg->addr, arg->len) || arg->len != sizeof(u64) ||
	    arg->addr % sizeof(u64) || arg->buffer)
		return -EINVAL;
	ret = test_mn_access_page(file->mmu, arg->addr, arg->len, &access);
	arg->value = access.value;
	return ret;
}

static int test_check(struct test_file *file, union test_args *args)
{
	struct test_mn_check *arg = &args->check;
	unsigned long index, last = arg->addr + arg->len - 1;
	struct test_mmu *mmu = file->mmu;
	void *entry;
	int ret = 0;

	if (!arg->len || arg->checked || arg->stale)
		return -EINVAL;
	if (last < arg->addr)
		last = ULONG_MAX;
	if (!mmu)
		return -ENOENT;
	if (!mmget_not_zero(mmu->mm))
		return -ESRCH;

	xa_for_each_range(&mmu->entries, index, entry, arg->addr >> PAGE_SHIFT,
			  last >> PAGE_SHIFT) {
		ret = test_mn_verify(mmu, index << PAGE_SHIFT);
		if (ret == -EINTR)
			break;
		arg->checked += ret != -ENOENT;
		arg->stale += ret == 1;
		cond_resched();
	}
	mmput(mmu->mm);
	return ret == -EINTR ? ret : 0;
}

static int test_stats(struct test_file *file, union test_args *args)
{
	struct test_mn_stats *stats = &args->stats;
	struct test_mmu *mmu = file->mmu;
	struct test_counters *count;
	unsigned long index;
	void *entry;
	int i;

	if (!mmu)
		return -ENOENT;
	count = &mmu->count;
	*stats = (struct test_mn_stats){
		.accesses = atomic64_read(&count->accesses),
		.faults = atomic64_read(&count->faults),
		.retries = atomic64_read(&count->retries),
		.checked = atomic64_read(&count->checked),
		.stale = atomic64_read(&count->stale),
		.tlb_flushes = atomic64_read(&count->tlb_flushes),
		.tlb_dropped = atomic64_read(&count->tlb_dropped),
		.wide = atomic64_read(&count->wide),
		.flush_young = atomic64_read(&count->flush_young),
		.clear_young = atomic64_read(&count->clear_young),
		.test_young = atomic64_read(&count->test_young),
		.young_pages = atomic64_read(&count->young_pages),
		.young = atomic64_read(&count->young),
		.refused = atomic64_read(&count->refused),
		.unpaired = atomic64_read(&count->unpaired),
		.in_progress = READ_ONCE(mmu->in_progress),
		.deferred = atomic64_read(&count->deferred),
		.late = atomic64_read(&count->late),
		.flushes = atomic64_read(&count->flushes),
		.released = atomic64_read(&count->released),
	};
	for (i = 0; i < TEST_MN_EVENTS; i++) {
		stats->invalidations[i] =
			atomic64_read(&count->invalidations[i]);
		stats->dropped[i] = atomic64_read(&count->dropped[i]);
	}
	xa_for_each(&mmu->entries, index, entry)
		stats->entries++;
	return 0;
}

static int test_stale(struct test_file *file, union test_args *args)
{
	if (!file->mmu)
		return -ENOENT;
	spin_lock(&file->mmu->log_lock);
	args->stale = file->mmu->first_stale;
	spin_unlock(&file->mmu->log_lock);
	return 0;
}

static int test_delay(struct test_file *file, union test_args *args)
{
	struct test_mn_delay *arg = &args->delay;
	struct test_delay *delay;

	if (arg->point >= TEST_MN_POINTS || arg->usecs > MAX_DELAY)
		return -EINVAL;
	delay = &file->delays[arg->point];
	WRITE_ONCE(delay->tid, arg->tid);
	/* Pairs with smp_load_acquire() in delay_of(). */
	store_release_wake_up(&delay->usecs, arg->usecs);
	return 0;
}

/* Find the file that a range is a shared mapping of, and the first page in it. */
static struct file *get_shared_file(unsigned long addr, unsigned long len,
				    pgoff_t *first)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct file *file = NULL;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file && (vma->vm_flags & VM_SHARED) &&
	    !is_vm_hugetlb_page(vma) && len <= vma->vm_end - addr) {
		*first = linear_page_index(vma, addr);
		file = get_file(vma->vm_file);
	}
	mmap_read_unlock(mm);
	return file;
}

static int test_clean(struct test_file *file, union test_args *args)
{
	struct test_mn_clean *arg = &args->clean;
	pgoff_t first, nr = arg->len >> PAGE_SHIFT, start = 0, end = 0;
	DECLARE_BITMAP(dirty, MAX_CLEAN) = {};
	struct address_space *mapping;
	struct file *mapped;

	if (bad_range(arg->addr, arg->len) || nr > MAX_CLEAN ||
	    offset_in_page(arg->addr | arg->len) || arg->write_protect > 1 ||
	    arg->reserved || arg->changed)
		return -EINVAL;
	mapped = get_shared_file(arg->addr, arg->len, &first);
	if (!mapped)
		return -EFAULT;

	mapping = mapped->f_mapping;
	if (arg->write_protect)
		arg->changed = wp_shared_mapping_range(mapping, first, nr);
	else
		arg->changed = clean_record_shared_mapping_range(mapping, first,
								 nr, first,
								 dirty, &start,
								 &end);
	fput(mapped);
	return 0;
}

static const struct test_command {
	unsigned int cmd;
	bool exclusive;		/* no other command meanwhile */
	bool own_mm;		/* only from the address space attached to */
	int (*run)(struct test_file *file, union test_args *args);
} commands[] = {
	{ TEST_MN_ATTACH, true, false, test_attach },
	{ TEST_MN_DETACH, true, false, test_detach },
	{ TEST_MN_FAULT, false, true, test_fault },
	{ TEST_MN_READ, false, true, test_read },
	{ TEST_MN_WRITE, false, true, test_write },
	{ TEST_MN_FETCH_ADD, false, true, test_fetch_add },
	{ TEST_MN_CHECK, false, false, test_check },
	{ TEST_MN_STATS, false, false, test_stats },
	{ TEST_MN_STALE, false, false, test_stale },
	{ TEST_MN_DELAY, false, false, test_delay },
	{ TEST_MN_CLEAN, false, true, test_clean },
};

static int run_command(const struct test_command *command,
		       struct test_file *file, union test_args *args)
{
	int ret = 0;

	if (command->exclusive)
		down_write(&file->sem);
	else
		down_read(&file->sem);
	if (command->own_mm && !file->mmu)
		ret = -ENOENT;
	else if (command->own_mm && file->mmu->mm != current->mm)
		ret = -EPERM;
	else
		ret = command->run(file, args);
	if (command->exclusive)
		up_write(&file->sem);
	else
		up_read(&file->sem);
	return ret;
}

static long test_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	const struct test_command *command;
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union test_args args = {};
	int ret;

	if (_IOC_TYPE(cmd) != 'N' || _IOC_NR(cmd) >= ARRAY_SIZE(commands))
		return -ENOTTY;
	command = &commands[_IOC_NR(cmd)];
	if (command->cmd != cmd)
		return -EINVAL;

	if ((_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(&args, user, size))
		return -EFAULT;
	ret = run_command(command, filp->private_data, &args);
	if (!ret && (_IOC_DIR(cmd) & _IOC_READ) &&
	    copy_to_user(user, &args, size))
		ret = -EFAULT;
	return ret;
}

static int test_open(struct inode *inode, struct file *filp)
{
	struct test_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	init_rwsem(&file->sem);
	filp->private_data = file;
	return 0;
}

static int test_close(struct inode *inode, struct file *filp)
{
	struct test_file *file = filp->private_data;

	if (file->mmu)
		test_detach(file, NULL);
	kfree(file);
	return 0;
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_close,
	.unlocked_ioctl = test_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice test_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "test_mmu_notifier",
	.fops = &test_fops,
	.mode = 0600,
};

static int __init test_mmu_notifier_init(void)
{
	int ret = test_mn_remote_init();

	if (ret)
		return ret;
	ret = misc_register(&test_device);
	if (ret)
		test_mn_remote_exit();
	return ret;
}
module_init(test_mmu_notifier_init);
