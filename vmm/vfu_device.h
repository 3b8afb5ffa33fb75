/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A simulated device: the client side of vfio-user over one socket, shown to
 * the guest as a PCI function. The device process gets no guest memory; its
 * DMA_READ and DMA_WRITE go through its endpoint of libpviommu.
 */
#ifndef VMM_VFU_DEVICE_H
#define VMM_VFU_DEVICE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct vm;
struct vfu_device;

struct vfu_config {
	const char *name; /* for messages: the option's value */
	int sock;	  /* connected; ownership passes on success */
	pid_t pid;	  /* of the process when the VMM started it, else 0 */
	unsigned int slot;
	unsigned int timeout_ms; /* for each reply; 0: 5000 */
};

/*
 * Negotiates, reads the device's description, checks all of it, adds the
 * function and its endpoint, starts its I/O thread. Logs what is wrong with the
 * device. -EPROTO, -ETIMEDOUT, -ECONNRESET, -ENOMEM.
 */
int vfu_device_new(struct vm *vm, const struct vfu_config *config, struct vfu_device **ret_dev);

/*
 * It has been quiesced: whoever waits for its answers, and would for as long as
 * the time-out, gets none. For the end of the VM.
 */
void vfu_device_hang_up(struct vfu_device *dev);

/*
 * A transfer of it got stuck in guest memory, and the IOMMU has switched its DMA
 * off: ends the connection, takes no lock.
 */
void vfu_device_stuck(struct vfu_device *dev);

/* Blocks DMA, closes the socket, joins the thread, reaps the process. */
void vfu_device_free(struct vfu_device *dev);

/* Writes this device's counters as one JSON object. */
void vfu_device_stats(struct vfu_device *dev, FILE *out);

/*
 * --disk PATH[,ro]: starts a pviommu-blk for it, returns its socket and pid.
 * @program: path of pviommu-blk. Logs in terms of the option.
 */
int vfu_spawn_disk(const char *program, const char *path, bool read_only, int *ret_sock,
		   pid_t *ret_pid);

/*
 * Waits for a device process whose socket has been closed; kills it when it does
 * not end by itself. For pids that no device took over.
 */
void vfu_spawn_end(pid_t pid);

/* --device socket=PATH: connects. Logs in terms of the option. */
int vfu_connect(const char *path, int *ret_sock);

#endif
