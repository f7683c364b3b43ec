// SPDX-License-Identifier: GPL-2.0

// expect 1
@notified@
position p;
@@
- bool notified@p = false;

// expect 1
@notified_set@
position p;
@@
- notified@p = true;
