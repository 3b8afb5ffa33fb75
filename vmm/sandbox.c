// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/sandbox.h"

/* Memory for malloc, but none that can be executed and none of a file. */
static int allow_memory(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp map[] = {
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		SCMP_A4(SCMP_CMP_MASKED_EQ, UINT32_MAX, UINT32_MAX), /* fd -1 */
	};
	const struct scmp_arg_cmp drop = SCMP_A2(SCMP_CMP_EQ, MADV_DONTNEED);
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int err;

	err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, map);
	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(munmap), 0);
	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 0);
	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(brk), 0);
	/* Never MADV_REMOVE: a page of guest memory that a device may reach stays that page. */
	return err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 1, drop);
}

int sandbox_loader(int result_fd)
{
	const struct scmp_arg_cmp to_result = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)result_fd);
	const struct scmp_arg_cmp huge = SCMP_A2(SCMP_CMP_EQ, MADV_HUGEPAGE);
	scmp_filter_ctx ctx;
	int err;

	/* However it ends, not with the VMM's descriptors left open. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return -ENOMEM;
	err = allow_memory(ctx);
	/* What is unpacked is written once, from end to end. */
	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 1, huge);
	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, to_result);
	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(exit_group), 0);
	err = err ?: seccomp_load(ctx); /* sets no_new_privs */
	seccomp_release(ctx);
	return err;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};

	/* The bounding set first: that takes one of the capabilities. EPERM: it had none. */
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) ? -errno : 0;
}

/* What the running VMM does: its vCPUs, its devices' sockets, the console, its end. */
static const int vmm_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(shutdown),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(membarrier),
	/* clocks, where the vDSO cannot tell them */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(restart_syscall),
	/* ends: kicks, crashes, reaping, the statistics' file */
	SCMP_SYS(tgkill),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(kill),
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(ftruncate),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlinkat),
	/* stdio and threads of the C library */
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
};

static const unsigned int vmm_ioctls[] = {
	KVM_RUN,	KVM_GET_REGS, KVM_IRQ_LINE, KVM_SET_GSI_ROUTING, KVM_IRQFD, KVM_IOEVENTFD,
	KVM_SIGNAL_MSI, TCGETS,	      TCSETS,
};

/* With assigned devices: their mappings, BARs, interrupts and resets. Nothing is opened. */
static const unsigned int vfio_ioctls[] = {
	VFIO_IOMMU_MAP_DMA,  VFIO_IOMMU_UNMAP_DMA,	VFIO_DEVICE_SET_IRQS,
	VFIO_DEVICE_RESET,   VFIO_DEVICE_PCI_HOT_RESET, KVM_SET_USER_MEMORY_REGION,
	KVM_SET_DEVICE_ATTR,
};

static int allow_ioctls(scmp_filter_ctx ctx, const unsigned int *ioctls, size_t nr)
{
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++) {
		/* The kernel looks at 32 bits of the request; so does the filter. */
		const struct scmp_arg_cmp request =
			SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, ioctls[i]);

		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, request);
	}
	return err;
}

static int allow_vmm(scmp_filter_ctx ctx, bool assigned)
{
	int err = allow_memory(ctx);

	for (size_t i = 0; i < sizeof(vmm_calls) / sizeof(vmm_calls[0]) && !err; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, vmm_calls[i], 0);
	err = err ?: allow_ioctls(ctx, vmm_ioctls, sizeof(vmm_ioctls) / sizeof(vmm_ioctls[0]));
	if (!assigned)
		return err;
	return err ?: allow_ioctls(ctx, vfio_ioctls, sizeof(vfio_ioctls) / sizeof(vfio_ioctls[0]));
}

int sandbox_vmm(bool assigned)
{
	scmp_filter_ctx ctx = NULL;
	int err;

	err = drop_capabilities();
	if (!err) {
		ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
		err = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;
	}
	/* A balanced tree: KVM_RUN is the call that counts, and it costs the same as any. */
	err = err ?: seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	err = err ?: allow_vmm(ctx, assigned);
	err = err ?: seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	if (err)
		log_error("cannot enter the sandbox: %s; run on a kernel with seccomp filters",
			  strerror(-err));
	return err;
}
