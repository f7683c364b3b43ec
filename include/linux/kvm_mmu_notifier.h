/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __LINUX_KVM_MMU_NOTIFIER_H
#define __LINUX_KVM_MMU_NOTIFIER_H

#ifndef __KVM_HOST_H
#error "Include <linux/kvm_host.h>, which includes this after struct kvm"
#endif

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/mmu_notifier_debug.h>
#include <linux/mmu_notifier_stats.h>

#ifdef CONFIG_KVM_GENERIC_MMU_NOTIFIER

/*
 * KVM holds no reference on the pages a guest can reach.  What keeps a guest
 * away from a page that the host has given to a new owner is a protocol
 * between two sides:
 *
 *	invalidation			page fault
 *
 *	lock mmu_lock			seq = mmu_invalidate_sample()
 *	kvm_mmu_invalidate_begin()	look up the pfn, which may sleep
 *	kvm_mmu_invalidate_range_add()	lock mmu_lock
 *	zap, flush TLBs			if (mmu_invalidate_retry_page(seq))
 *	unlock mmu_lock				forget the pfn, start over
 *	the mm changes			set the spte
 *	end: increment seq, then	unlock mmu_lock
 *	     count it as ended
 *
 * A fault whose spte is set before begin is seen by the zap.  One that comes
 * later, but before end, finds the invalidation in progress: more have begun than
 * have ended.  One that comes after end finds another sequence number than the one
 * it sampled, unless it sampled after end: then its lookup saw the mm as it was
 * changed.
 *
 * What begins does so under mmu_lock.  An end has mn_lock, which orders the ends
 * among each other, and need not wait for faults: one that meets it either takes it
 * for in progress, or sees the number, which was stored before.  The range of what is
 * in progress is reset only under mmu_lock, by a begin that finds that all have
 * ended.
 *
 * Changes of memory attributes and of guest_memfd files go the same way.  They are
 * counted, as the range is all that is known of them: while there are none, a fault
 * that finds its page in it may look, under mn_lock, which ranges of the host are
 * running.
 *
 * The two checks of a fault, the flushes, and the check whether one was deferred, have
 * names by which tests of debug kernels leave them out.
 */

/**
 * struct kvm_age_gfns - guest frames of a range that are to be aged one by one
 * @first: the gfn of bit 0; if that is below the range, it may be no gfn at all
 * @asked: bitmap of those that are to be aged
 * @young: where to set the bits of those of them that are young
 */
struct kvm_age_gfns {
	gfn_t first;
	const unsigned long *asked;
	unsigned long *young;
};

/* What a change of guest memory is about, as far as a handler needs it. */
union kvm_mmu_notifier_arg {
	unsigned long attributes;
	/* If the range is to be aged: NULL for one answer about all of it */
	const struct kvm_age_gfns *age;
};

/* Which mappings of a gfn are meant; neither bit means both kinds. */
enum kvm_gfn_range_filter {
	KVM_FILTER_SHARED		= BIT(0),
	KVM_FILTER_PRIVATE		= BIT(1),
};

/**
 * struct kvm_gfn_range - guest memory that a handler is to act upon
 * @slot: the memslot, which holds all of the range
 * @start: the first gfn
 * @end: the end gfn, exclusive
 * @arg: what the change is about
 * @attr_filter: which mappings are meant
 * @may_block: the handler may release mmu_lock and sleep
 */
struct kvm_gfn_range {
	struct kvm_memory_slot *slot;
	gfn_t start;
	gfn_t end;
	union kvm_mmu_notifier_arg arg;
	enum kvm_gfn_range_filter attr_filter;
	bool may_block;
};

/*
 * The architecture's handlers, called with mmu_lock held for write.  The first
 * returns whether TLBs must be flushed, the others whether the range is young.
 *
 * The first may be called without kvm->srcu: no memslots are published before the
 * range has ended, and so the active ones stay.
 *
 * With CONFIG_HAVE_KVM_UNLOCKED_AGEING the others are called without mmu_lock.  They
 * have kvm->srcu, and the lock of the host's page table: no page that is mapped at a
 * host address of the range is unmapped there before they return.
 *
 * With __KVM_HAVE_ARCH_AGE_GFNS they look at range->arg.age.
 */
bool kvm_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range);
bool kvm_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range);
bool kvm_test_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range);

/**
 * kvm_age_is_asked() - check whether a mapping is to be aged
 * @range: what the handler was given
 * @gfn: the first gfn that the mapping has
 * @nr: how many it has; some of them are in the range
 *
 * Return: true if it is, because it maps a gfn that is.
 */
static inline bool kvm_age_is_asked(const struct kvm_gfn_range *range, gfn_t gfn,
				    gfn_t nr)
{
	const struct kvm_age_gfns *age = range->arg.age;
	unsigned long bit, end;

	if (!age)
		return true;
	if (nr == 1)
		return test_bit(gfn - age->first, age->asked);

	bit = max(gfn, range->start) - age->first;
	end = min(gfn + nr, range->end) - age->first;
	return find_next_bit(age->asked, end, bit) < end;
}

/**
 * kvm_age_is_young() - take note of a mapping that is young
 * @range: what the handler was given; kvm_age_is_asked() was true
 * @gfn: the first gfn that the mapping has
 * @nr: how many it has; some of them are in the range
 *
 * Return: true if the range is young therefore, all of it; false if each gfn has an
 * answer of its own.
 */
static inline bool kvm_age_is_young(const struct kvm_gfn_range *range, gfn_t gfn,
				    gfn_t nr)
{
	const struct kvm_age_gfns *age = range->arg.age;
	unsigned long bit, end;

	if (!age)
		return true;
	if (nr == 1) {
		__set_bit(gfn - age->first, age->young);
		return false;
	}

	bit = max(gfn, range->start) - age->first;
	end = min(gfn + nr, range->end) - age->first;
	for_each_set_bit_from(bit, age->asked, end)
		__set_bit(bit, age->young);
	return false;
}

#ifdef CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES
bool kvm_arch_pre_set_memory_attributes(struct kvm *kvm,
					struct kvm_gfn_range *range);
#endif

/*
 * With __KVM_HAVE_ARCH_DEFERRED_FLUSH, TLBs may hold what an invalidation has zapped, until
 * kvm_flush_deferred().  The page is locked, and nothing else is mapped at its host
 * address, so what only wants to keep the guest away from it, or to map it again, need
 * not care.  Neither need dirty logging: it flushes if any bit is set, and the bit of a
 * page that can be written to is set.
 *
 * What takes something away from the guest for reasons of its own, and flushes only if it
 * has found an spte, flushes also if kvm_flush_is_deferred(), and a change of memslots
 * calls kvm_flush_deferred().  kvm_flush_remote_tlbs() must not sleep.
 */
#ifdef __KVM_HAVE_ARCH_DEFERRED_FLUSH
void kvm_flush_deferred(struct kvm *kvm);

/**
 * kvm_flush_is_deferred() - check whether TLBs may have what isn't in page tables
 * @kvm: the VM
 *
 * The caller has mmu_lock, or may miss what is zapped at this moment.
 *
 * Return: true if the caller must flush, even if it has found no spte.
 */
static inline bool kvm_flush_is_deferred(struct kvm *kvm)
{
	/* Pairs with the release in kvm_flush_deferred(). */
	long flushed = atomic_long_read_acquire(&kvm->mn_flushed);

	return unlikely((long)(READ_ONCE(kvm->mn_dropped) - flushed) > 0);
}
#else
static inline void kvm_flush_deferred(struct kvm *kvm)
{
}

static inline bool kvm_flush_is_deferred(struct kvm *kvm)
{
	return false;
}
#endif

void kvm_mmu_invalidate_begin(struct kvm *kvm);
void kvm_mmu_invalidate_range_add(struct kvm *kvm, gfn_t start, gfn_t end);
void kvm_mmu_invalidate_end(struct kvm *kvm);
bool kvm_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range);

/*
 * More have begun than have ended.  A caller that has excluded kvm_mmu_invalidate_begin()
 * finds out about all that is in progress.  For others it is right as well, because
 * the ended ones are read first: all of them have begun by the time that the others are
 * counted.
 */
static inline bool mmu_invalidate_in_progress(struct kvm *kvm)
{
	/*
	 * Pairs with the smp_wmb() at the end of an invalidation: a reader that
	 * doesn't see it in progress any more sees its sequence number.
	 */
	unsigned long ended = smp_load_acquire(&kvm->mmu_invalidate_ended);

	return READ_ONCE(kvm->mmu_invalidate_begun) != ended;
}

/*
 * What the checks below are made of.  The first two are the steps that a test
 * can leave out; the third is meaningful only while the first holds.
 */
static inline bool __mmu_invalidate_running(struct kvm *kvm)
{
	return unlikely(mmu_invalidate_in_progress(kvm)) &&
	       !mmu_notifier_suppressed("in_progress");
}

static inline bool mmu_invalidate_ended_since(struct kvm *kvm,
					      unsigned long mmu_seq)
{
	return READ_ONCE(kvm->mmu_invalidate_seq) != mmu_seq &&
	       !mmu_notifier_suppressed("seq");
}

static inline bool mmu_invalidate_covers(struct kvm *kvm, gfn_t gfn)
{
	return READ_ONCE(kvm->mmu_invalidate_range_start) <= gfn &&
	       READ_ONCE(kvm->mmu_invalidate_range_end) > gfn;
}

/* Between begin and the first range_add, during which mmu_lock is kept. */
static inline bool mmu_invalidate_range_is_empty(struct kvm *kvm)
{
	return READ_ONCE(kvm->mmu_invalidate_range_start) >=
	       READ_ONCE(kvm->mmu_invalidate_range_end);
}

/**
 * mmu_invalidate_running() - check whether guest memory is being invalidated
 * @kvm: the VM, whose mmu_lock the caller holds
 *
 * For mappings made on the side, without a sequence number of their own.
 *
 * Return: true if nothing may be mapped on the side now.
 */
static inline bool mmu_invalidate_running(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->mmu_lock);
	return __mmu_invalidate_running(kvm);
}

/**
 * mmu_invalidate_sample() - begin the lookup of a pfn
 * @kvm: the VM
 *
 * Return: the sequence number to hand to mmu_invalidate_retry(), or one of its
 * variants, before what was looked up is used.
 */
static inline unsigned long mmu_invalidate_sample(struct kvm *kvm)
{
	unsigned long seq = READ_ONCE(kvm->mmu_invalidate_seq);

	/*
	 * No part of the lookup may come before the sample.  Pairs with the
	 * page table lock and mn_lock, which put a change of the mm in front
	 * of the sequence number that its end gives it.
	 */
	smp_rmb();
	return seq;
}

/**
 * mmu_invalidate_retry() - check whether a looked-up pfn may be stale
 * @kvm: the VM
 * @mmu_seq: what mmu_invalidate_sample() returned before the lookup
 *
 * The caller holds mmu_lock, or, in an architecture that maps pages under finer
 * locks, one that its kvm_unmap_gfn_range() takes for the same page.
 *
 * Return: non-zero if the lookup has to be done again.
 */
static inline int mmu_invalidate_retry(struct kvm *kvm, unsigned long mmu_seq)
{
	return __mmu_invalidate_running(kvm) ||
	       mmu_invalidate_ended_since(kvm, mmu_seq);
}

/**
 * mmu_invalidate_retry_gfn() - check whether the pfn of a gfn may be stale
 * @kvm: the VM, whose mmu_lock the caller holds
 * @mmu_seq: what mmu_invalidate_sample() returned before the lookup
 * @gfn: the guest frame
 *
 * As mmu_invalidate_retry(), but an invalidation in progress counts only if it
 * may cover @gfn: of several, all that is between them counts as covered.
 *
 * Return: non-zero if the lookup has to be done again.
 */
static inline int mmu_invalidate_retry_gfn(struct kvm *kvm,
					   unsigned long mmu_seq, gfn_t gfn)
{
	/* The range is empty if mmu_lock was released before range_add. */
	if (mmu_invalidate_running(kvm) &&
	    (WARN_ON_ONCE(mmu_invalidate_range_is_empty(kvm)) ||
	     mmu_invalidate_covers(kvm, gfn)))
		return 1;

	return mmu_invalidate_ended_since(kvm, mmu_seq);
}

#ifdef CONFIG_HAVE_KVM_UNLOCKED_INVALIDATE_END
bool kvm_mmu_invalidates_page(struct kvm *kvm, const struct kvm_memory_slot *slot,
			      gfn_t gfn);
bool kvm_mmu_may_invalidate_page(struct kvm *kvm,
				 const struct kvm_memory_slot *slot, gfn_t gfn);

/**
 * mmu_invalidate_retry_page() - check whether the pfn of a page may be stale
 * @kvm: the VM, whose mmu_lock the caller holds
 * @mmu_seq: what mmu_invalidate_sample() returned before the lookup
 * @slot: the memslot, with kvm->srcu held since before the lookup
 * @gfn: the guest frame
 *
 * As mmu_invalidate_retry_gfn(), but a page that is only between two ranges isn't
 * covered.  Needs ends that don't take mmu_lock: then a range is removed from mn_ranges
 * and the sequence number incremented in one section of mn_lock.
 *
 * Return: non-zero if the lookup has to be done again.
 */
static inline int mmu_invalidate_retry_page(struct kvm *kvm, unsigned long mmu_seq,
					    const struct kvm_memory_slot *slot,
					    gfn_t gfn)
{
	/* The range is empty if mmu_lock was released before range_add. */
	if (mmu_invalidate_running(kvm) &&
	    (WARN_ON_ONCE(mmu_invalidate_range_is_empty(kvm)) ||
	     (mmu_invalidate_covers(kvm, gfn) &&
	      kvm_mmu_invalidates_page(kvm, slot, gfn))))
		return 1;

	/* Not before mn_lock was taken above: what had ended there is seen here. */
	return mmu_invalidate_ended_since(kvm, mmu_seq);
}

/**
 * mmu_invalidate_retry_page_unsafe() - guess whether the pfn may be stale
 * @kvm: the VM
 * @mmu_seq: what mmu_invalidate_sample() returned
 * @slot: the memslot, with kvm->srcu held
 * @gfn: the guest frame
 *
 * Called without mmu_lock, it errs both ways, as the range may be out of date or torn.
 * It avoids a pointless trip to mmu_lock, and never replaces the check under
 * it.  A caller that loops sees the end of what it waits for.
 *
 * Return: whether the fault had better start over right away.
 */
static inline bool
mmu_invalidate_retry_page_unsafe(struct kvm *kvm, unsigned long mmu_seq,
				 const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return (__mmu_invalidate_running(kvm) &&
		mmu_invalidate_covers(kvm, gfn) &&
		kvm_mmu_may_invalidate_page(kvm, slot, gfn)) ||
	       mmu_invalidate_ended_since(kvm, mmu_seq);
}
#endif /* CONFIG_HAVE_KVM_UNLOCKED_INVALIDATE_END */

#ifdef CONFIG_MMU_NOTIFIER_STATS
void kvm_mmu_fault_retried(struct kvm_vcpu *vcpu, const void *who,
			   const struct kvm_memory_slot *slot, gfn_t gfn);

/**
 * kvm_mmu_fault_done() - note that a page fault is not retried
 * @vcpu: the vCPU, by its own thread
 * @gfn: the guest frame
 *
 * The other end of kvm_mmu_fault_retried(), for every fault: it needn't have
 * been retried.
 */
static inline void kvm_mmu_fault_done(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	/* In between the vCPU may have faults of other pages. */
	if (vcpu->mn_retry.gfn == gfn)
		mmu_notifier_retry_done(&vcpu->mn_retry.retry);
}
#else
static inline void kvm_mmu_fault_retried(struct kvm_vcpu *vcpu, const void *who,
					 const struct kvm_memory_slot *slot,
					 gfn_t gfn)
{
}

static inline void kvm_mmu_fault_done(struct kvm_vcpu *vcpu, gfn_t gfn)
{
}
#endif

#endif /* CONFIG_KVM_GENERIC_MMU_NOTIFIER */

#endif /* __LINUX_KVM_MMU_NOTIFIER_H */
