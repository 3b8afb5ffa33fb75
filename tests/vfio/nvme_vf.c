// SPDX-License-Identifier: BSD-2-Clause
/*
 * nvme-vf DEVICE: gives the first virtual function of an nvme what it takes to work, two queues
 * and an interrupt, and puts it online (NVMe 1.3, 5.22: Virtualization Management).
 */
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define VIRT_MGMT 0x1c
#define VF_CNTLID 1u

enum { SECONDARY_OFFLINE = 7, SECONDARY_ASSIGN = 8, SECONDARY_ONLINE = 9 };
enum { QUEUES = 0, INTERRUPTS = 1 };

static int manage(int fd, unsigned int action, unsigned int resource, unsigned int nr)
{
	struct nvme_admin_cmd c = {
		.opcode = VIRT_MGMT,
		.cdw10 = action | resource << 8 | VF_CNTLID << 16,
		.cdw11 = nr,
	};
	int r = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &c);

	if (r)
		fprintf(stderr, "nvme-vf: action %u, resource %u: %d\n", action, resource, r);
	return r;
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0) {
		fputs("usage: nvme-vf /dev/nvmeN\n", stderr);
		return 2;
	}
	return manage(fd, SECONDARY_OFFLINE, 0, 0) || manage(fd, SECONDARY_ASSIGN, QUEUES, 2) ||
	       manage(fd, SECONDARY_ASSIGN, INTERRUPTS, 1) || manage(fd, SECONDARY_ONLINE, 0, 0);
}
