/* SPDX-License-Identifier: BSD-2-Clause */
/* `pviommu run`: one VM from its set-up to its end. */
#ifndef VMM_RUN_H
#define VMM_RUN_H

/* @argv[0] is "run". Returns the command's exit status (enum vm_end). */
int run_command(int argc, char **argv);

#endif
