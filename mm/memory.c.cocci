// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/memcontrol.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@copy_page_range@
attribute name __uninitialized;
position p;
@@
copy_page_range@p(...)
{
	...
+	struct mmu_notifier_range range __uninitialized;
	bool is_cow;
	... when any
}

// Between start and end the parent's ptes become read-only, so that the
// child's copy of them can share the pages.
// expect 1
@copy_page_range_start@
position p;
@@
- if (is_cow) {
+ if (is_cow) {
+	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0,
+				src_mm, addr, end);
+	mmu_notifier_invalidate_range_start(&range);
	vma_assert_write_locked@p(src_vma);
	...
  }

// expect 1
@copy_page_range_end@
position p;
expression e;
@@
- if (is_cow@p)
+ if (is_cow) {
	raw_write_seqcount_end(e);
+	mmu_notifier_invalidate_range_end(&range);
+ }

// One range for all the mappings that go: munmap and exit.  It has to end
// before the caller frees the page tables.
// expect 1
@unmap_vmas@
attribute name __uninitialized;
position p;
@@
unmap_vmas@p(...)
{
+	struct mmu_notifier_range range __uninitialized;
	struct zap_details details = ...;
+
+	mmu_notifier_range_init(&range, MMU_NOTIFY_UNMAP, 0, vma->vm_mm,
+				start_addr, end_addr);
+	mmu_notifier_invalidate_range_start(&range);
	... when any
+	mmu_notifier_invalidate_range_end(&range);
}

// The range is the one that hugetlb_zap_begin() has widened, because zapping
// a shared hugetlb page table takes all of it away.  The pages stay until
// tlb_finish_mmu().
// expect 1
@zap_page_range_single@
attribute name __uninitialized;
position p;
expression vma, from, to;
identifier tlb;
@@
zap_page_range_single(...)
{
	...
+	struct mmu_notifier_range range __uninitialized;
	struct mmu_gather tlb;
	...
	hugetlb_zap_begin(vma, &from, &to);
	...
	update_hiwater_rss(...);
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm,
+				from, to);
+	mmu_notifier_invalidate_range_start(&range);
	unmap_single_vma@p(&tlb, ...);
+	mmu_notifier_invalidate_range_end(&range);
	...
}

// expect 1
@wp_page_copy@
attribute name __uninitialized;
position p;
@@
wp_page_copy@p(...)
{
	...
	int page_copied = 0;
+	struct mmu_notifier_range range __uninitialized;
	... when any
}

// The new page is ready, the pte still maps the old one.
// expect 1
@wp_page_copy_start exists@
position p;
@@
wp_page_copy(...)
{
	... when any
	__folio_mark_uptodate@p(...);
+
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm,
+				vmf->address & PAGE_MASK,
+				(vmf->address & PAGE_MASK) + PAGE_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
	... when any
}

// The old page must not be freed before.
// expect 1
@wp_page_copy_end exists@
position p;
@@
wp_page_copy(...)
{
	... when any
+	mmu_notifier_invalidate_range_end(&range);
+
	if (new_folio@p)
		folio_put(new_folio);
	... when any
}

// expect 1
@exclusive@
attribute name __uninitialized;
position p;
@@
remove_device_exclusive_entry@p(...)
{
	...
+	struct mmu_notifier_range range __uninitialized;
	vm_fault_t ret;
	... when any
}

// The device that owns the entry gives its exclusive access back.
// expect 1
@exclusive_start exists@
position p;
expression list es;
@@
remove_device_exclusive_entry(...)
{
	... when any
+	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_EXCLUSIVE, 0,
+				      vma->vm_mm, vmf->address & PAGE_MASK,
+				      (vmf->address & PAGE_MASK) + PAGE_SIZE,
+				      NULL);
+	mmu_notifier_invalidate_range_start(&range);
+
	vmf->pte = pte_offset_map_lock@p(es);
	... when any
}

// expect 1
@exclusive_end exists@
position p;
@@
remove_device_exclusive_entry(...)
{
	... when any
	folio_put@p(folio);
+
+	mmu_notifier_invalidate_range_end(&range);
	return 0;
}
