// SPDX-License-Identifier: GPL-2.0
/*
 * Subscribers whose cost is to be measured: see mn_bench.h.
 *
 * This is a module of its own, compiled against each kernel that is compared,
 * and uses nothing but the API of Linux 6.12.  So the same source runs on the
 * pristine kernel and on ours, neither of which has to be changed for it.  The
 * test device of the series can't be used, since the pristine kernel has none
 * and its checks would be measured as well.
 *
 * bench_file::lock serialises the ioctls of a file.  The callbacks take
 * bench_file::seq_lock, as a subscriber to a range must.  They and the probes count
 * without atomics: the machine that measures has one CPU.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "mn_bench.h"

#define MOST_SUBSCRIBERS	10000

struct bench_file {
	struct mutex lock;		/* batches, against other ioctls */
	spinlock_t seq_lock;		/* the sequence numbers of subscribers */
	struct list_head batches;
	u64 calls;
};

struct bench_sub {
	struct bench_file *file;
	unsigned long start, end;	/* what it is interested in */
	unsigned int sleep_ms;
	union {
		struct mmu_notifier list;
		struct mmu_interval_notifier interval;
	};
};

/* Subscribers that were added together: the first @count of @subs exist. */
struct bench_batch {
	struct list_head node;
	unsigned int kind;
	unsigned int count;
	struct bench_sub *subs;
};

static bool hits(const struct bench_sub *sub,
		 const struct mmu_notifier_range *range)
{
	return range->start < sub->end && range->end > sub->start;
}

static void pause_if_told(const struct bench_sub *sub,
			  const struct mmu_notifier_range *range)
{
	if (sub->sleep_ms && mmu_notifier_range_blockable(range))
		msleep(sub->sleep_ms);
}

static int list_start(struct mmu_notifier *mn,
		      const struct mmu_notifier_range *range)
{
	struct bench_sub *sub = container_of(mn, struct bench_sub, list);

	sub->file->calls++;
	if (hits(sub, range))
		pause_if_told(sub, range);
	return 0;
}

static void list_end(struct mmu_notifier *mn,
		     const struct mmu_notifier_range *range)
{
	struct bench_sub *sub = container_of(mn, struct bench_sub, list);

	sub->file->calls++;
}

static const struct mmu_notifier_ops list_ops = {
	.invalidate_range_start = list_start,
	.invalidate_range_end = list_end,
};

static bool interval_invalidate(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq)
{
	struct bench_sub *sub = container_of(mni, struct bench_sub, interval);
	struct bench_file *file = sub->file;

	spin_lock(&file->seq_lock);
	mmu_interval_set_seq(mni, cur_seq);
	file->calls++;
	spin_unlock(&file->seq_lock);
	pause_if_told(sub, range);
	return true;
}

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate = interval_invalidate,
};

static int subscribe(struct bench_batch *batch, struct bench_sub *sub)
{
	if (batch->kind == MN_BENCH_INTERVAL)
		return mmu_interval_notifier_insert(&sub->interval, current->mm,
						    sub->start,
						    sub->end - sub->start,
						    &interval_ops);
	sub->list.ops = &list_ops;
	return mmu_notifier_register(&sub->list, current->mm);
}

static void unsubscribe(struct bench_batch *batch, struct bench_sub *sub)
{
	if (batch->kind == MN_BENCH_INTERVAL)
		mmu_interval_notifier_remove(&sub->interval);
	else
		mmu_notifier_unregister(&sub->list, sub->list.mm);
}

static void remove_batch(struct bench_batch *batch)
{
	while (batch->count)
		unsubscribe(batch, &batch->subs[--batch->count]);
	list_del(&batch->node);
	kfree(batch->subs);
	kfree(batch);
}

static void remove_all(struct bench_file *file)
{
	struct bench_batch *batch, *next;

	list_for_each_entry_safe(batch, next, &file->batches, node)
		remove_batch(batch);
}

static int subscribe_all(struct bench_file *file, struct bench_batch *batch,
			 const struct mn_bench_add *add)
{
	struct bench_sub *sub;
	int err;

	while (batch->count < add->count) {
		sub = &batch->subs[batch->count];
		sub->file = file;
		sub->start = add->start + batch->count * add->stride;
		sub->end = sub->start + add->length;
		sub->sleep_ms = add->sleep_ms;
		err = subscribe(batch, sub);
		if (err)
			return err;
		batch->count++;
	}
	return 0;
}

static long bench_add(struct bench_file *file, const struct mn_bench_add __user *arg)
{
	struct bench_batch *batch;
	struct mn_bench_add add;
	int err;

	if (copy_from_user(&add, arg, sizeof(add)))
		return -EFAULT;
	if (add.kind > MN_BENCH_INTERVAL || !add.count || add.reserved ||
	    add.count > MOST_SUBSCRIBERS || !add.length)
		return -EINVAL;
	batch = kzalloc(sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	batch->kind = add.kind;
	batch->subs = kcalloc(add.count, sizeof(*batch->subs), GFP_KERNEL);
	if (!batch->subs) {
		kfree(batch);
		return -ENOMEM;
	}
	list_add(&batch->node, &file->batches);
	err = subscribe_all(file, batch, &add);
	if (err)
		remove_batch(batch);
	return err;
}

static struct bench_sub *any_of(struct bench_file *file, unsigned int kind)
{
	struct bench_batch *batch;

	list_for_each_entry(batch, &file->batches, node)
		if (batch->kind == kind)
			return batch->subs;
	return NULL;
}

/* Through a pointer, as the core does, and with a range that does not hit */
static long bench_call(struct bench_file *file,
		       const struct mn_bench_call __user *arg)
{
	const struct mmu_interval_notifier_ops *iops = &interval_ops;
	const struct mmu_notifier_ops *lops = &list_ops;
	struct mmu_notifier_range range = {};
	struct mn_bench_call call;
	struct bench_sub *sub;

	if (copy_from_user(&call, arg, sizeof(call)))
		return -EFAULT;
	sub = any_of(file, call.kind);
	if (!sub)
		return -ENOENT;
	OPTIMIZER_HIDE_VAR(iops);
	OPTIMIZER_HIDE_VAR(lops);
	while (call.count--) {
		if (call.kind == MN_BENCH_INTERVAL)
			iops->invalidate(&sub->interval, &range, 1);
		else
			lops->invalidate_range_start(&sub->list, &range);
	}
	return 0;
}

/* --- acquisitions of mmu_lock ---------------------------------------------- */

/*
 * Each function that takes an rwlock gets a probe, which compares the lock with that
 * of the VM.  They are there only while a file counts: their cost must not be taken
 * for that of what is measured.
 */
static DEFINE_MUTEX(count_mutex);
static struct {
	struct bench_file *by;		/* the file that counts, or NULL */
	struct file *vm;
	unsigned long lock;
	struct mn_bench_locks taken;
	struct kprobe read, write;
} count;

static struct kprobe *probes[] = { &count.read, &count.write };

static int takes_read(struct kprobe *probe, struct pt_regs *regs)
{
	if (regs_get_kernel_argument(regs, 0) == count.lock)
		count.taken.read++;
	return 0;
}

static int takes_write(struct kprobe *probe, struct pt_regs *regs)
{
	if (regs_get_kernel_argument(regs, 0) == count.lock)
		count.taken.write++;
	return 0;
}

/* A probe can't be registered again as it was left. */
static int register_probes(struct kvm *kvm)
{
	count.lock = (unsigned long)&kvm->mmu_lock;
	count.taken = (struct mn_bench_locks){};
	count.read = (struct kprobe){
		.symbol_name = "_raw_read_lock",
		.pre_handler = takes_read,
	};
	count.write = (struct kprobe){
		.symbol_name = "_raw_write_lock",
		.pre_handler = takes_write,
	};
	return register_kprobes(probes, ARRAY_SIZE(probes));
}

static long begin_count(struct bench_file *file, const __s32 __user *arg)
{
	struct file *vm;
	int err = -EINVAL, fd;

	if (get_user(fd, arg))
		return -EFAULT;
	guard(mutex)(&count_mutex);
	if (count.by)
		return -EBUSY;
	vm = fget(fd);
	if (!vm)
		return -EBADF;
	if (file_is_kvm(vm))
		err = register_probes(vm->private_data);
	if (err) {
		fput(vm);
		return err;
	}
	count.vm = vm;
	count.by = file;
	return 0;
}

static long read_count(struct bench_file *file, struct mn_bench_locks __user *arg)
{
	guard(mutex)(&count_mutex);
	if (count.by != file)
		return -ENOENT;
	return copy_to_user(arg, &count.taken, sizeof(count.taken)) ? -EFAULT : 0;
}

static void end_count(struct bench_file *file)
{
	guard(mutex)(&count_mutex);
	if (count.by != file)
		return;
	unregister_kprobes(probes, ARRAY_SIZE(probes));
	fput(count.vm);
	count.by = NULL;
}

/* --- the device ------------------------------------------------------------ */

static long bench_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct bench_file *file = filp->private_data;
	long ret = 0;

	mutex_lock(&file->lock);
	switch (cmd) {
	case MN_BENCH_ADD:
		ret = bench_add(file, (void __user *)arg);
		break;
	case MN_BENCH_REMOVE:
		remove_all(file);
		break;
	case MN_BENCH_CALLS:
		ret = put_user(file->calls, (u64 __user *)arg);
		break;
	case MN_BENCH_CALL:
		ret = bench_call(file, (void __user *)arg);
		break;
	case MN_BENCH_COUNT:
		ret = begin_count(file, (void __user *)arg);
		break;
	case MN_BENCH_LOCKS:
		ret = read_count(file, (void __user *)arg);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&file->lock);
	return ret;
}

static int bench_open(struct inode *inode, struct file *filp)
{
	struct bench_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	spin_lock_init(&file->seq_lock);
	INIT_LIST_HEAD(&file->batches);
	filp->private_data = file;
	return 0;
}

static int bench_release(struct inode *inode, struct file *filp)
{
	struct bench_file *file = filp->private_data;

	end_count(file);
	remove_all(file);
	kfree(file);
	return 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mn_bench",
	.fops = &bench_fops,
	.mode = 0600,
};
module_misc_device(bench_misc);

MODULE_DESCRIPTION("Subscribers of MMU notifiers whose cost is measured");
MODULE_LICENSE("GPL");
