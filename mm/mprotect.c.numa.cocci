// SPDX-License-Identifier: GPL-2.0
// NUMA balancing announces only what it changes.

// What it leaves alone is the same for the look ahead, see mprotect.c.numa.lines.
// expect 1
@change_pte_range@
position p;
@@
  if (prot_numa) {
-	struct folio *folio;
-	int nid;
-	bool toptier;
-	if (pte_protnone(oldpte)) continue;
-	folio = vm_normal_folio(vma, addr, oldpte);
-	if (!folio || folio_is_zone_device(folio) || folio_test_ksm(folio)) continue;
-	if (is_cow_mapping(vma->vm_flags) && (folio_maybe_dma_pinned(folio) || folio_likely_mapped_shared(folio))) continue;
-	if (folio_is_file_lru(folio) && folio_test_dirty(folio)) continue;
-	nid = folio_nid(folio);
-	if (target_node == nid) continue;
-	toptier = node_is_toptier(nid);
-	if (!(sysctl_numa_balancing_mode & NUMA_BALANCING_NORMAL) && toptier) continue;
+	struct folio *folio;
+
+	folio = prot_numa_folio(vma, addr, oldpte, target_node);
+	if (!folio)
+		continue;
	if (folio_use_access_time@p(folio)) folio_xchg_access_time(folio, jiffies_to_msecs(jiffies));
  }

// expect 1
@change_pud_range exists@
position p;
@@
change_pud_range(...)
{
	...
+	if ((cp_flags & MM_CP_PROT_NUMA) && mm_has_notifiers(vma->vm_mm)) {
+		addr = prot_numa_first(vma, p4d, addr, end);
+		if (addr == end)
+			return 0;
+	}
+
	pudp = pud_offset@p(p4d, addr);
	... when any
}
