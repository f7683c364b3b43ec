// SPDX-License-Identifier: GPL-2.0

// expect 4
@has@
expression e;
position p;
@@
  e
- && !mm_has_notifiers@p(...)
