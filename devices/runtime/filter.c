// SPDX-License-Identifier: BSD-2-Clause
/* The last step of the sandbox: which system calls a device process may make. */
#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "devices/runtime/sandbox.h"

/* What serving messages takes: the socket, eventfds, the heap, the log, the end. */
static const int runtime_calls[] = {
	SCMP_SYS(recvmsg),    SCMP_SYS(recvfrom),     SCMP_SYS(sendmsg),	 SCMP_SYS(poll),
	SCMP_SYS(read),	      SCMP_SYS(write),	      SCMP_SYS(close),		 SCMP_SYS(brk),
	SCMP_SYS(munmap),     SCMP_SYS(getrandom),    SCMP_SYS(restart_syscall), SCMP_SYS(futex),
	SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
};

static int allow(scmp_filter_ctx f, const struct sandbox_call *c)
{
	return c->has_arg1 ? seccomp_rule_add(f, SCMP_ACT_ALLOW, c->nr, 1,
					      SCMP_A1(SCMP_CMP_EQ, c->arg1))
			   : seccomp_rule_add(f, SCMP_ACT_ALLOW, c->nr, 0);
}

static int add_rules(scmp_filter_ctx f, const struct sandbox_call *calls, size_t nr)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(runtime_calls) / sizeof(runtime_calls[0]); i++)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, runtime_calls[i], 0);
	for (size_t i = 0; !err && i < nr; i++)
		err = allow(f, &calls[i]);
	/* Memory for the heap only: nothing of any fd, nothing to execute. */
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
				       SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
	return err;
}

int sandbox_syscalls(const struct sandbox_call *calls, size_t nr)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!f)
		return -ENOMEM;
	err = add_rules(f, calls, nr);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}
