/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `pviommu assign`, `release` and `devices`: the host's side of `run --assign`. They return
 * the exit status: 0, 1 where the host failed, 2 for what the user can repair. @root:
 * host_sysfs.h; argv[0] is the command's name.
 */
#ifndef VMM_ASSIGN_H
#define VMM_ASSIGN_H

int assign_command(const char *root, int argc, char **argv);
int release_command(const char *root, int argc, char **argv);
int devices_command(const char *root, int argc, char **argv);

#endif
