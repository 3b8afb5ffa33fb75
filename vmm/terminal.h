/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw mode of the controlling terminal on stdin. */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

#include <stdbool.h>

/*
 * Raw mode until terminal_restore(), which also runs at exit() and when a
 * signal of a crash ends the process. 0 and no change where stdin is no
 * terminal or the process is in the background.
 */
int terminal_raw(void);
void terminal_restore(void);
bool terminal_is_raw(void);

#endif
