// SPDX-License-Identifier: GPL-2.0

// expect 1
@change_pud_range@
position p;
identifier range;
@@
change_pud_range(...)
{
	...
-	range.start@p = 0;
	...
}
