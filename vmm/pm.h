/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power management: the ACPI PM1 block with its power button, the ways to ask
 * for a reset, and pvpanic.
 */
#ifndef VMM_PM_H
#define VMM_PM_H

#include <pthread.h>
#include <stdint.h>

#define PM_BASE		 0x600
#define PM_SIZE		 0x10
#define PM_EVENT	 0x600 /* status and enable, 2 bytes each */
#define PM_CONTROL	 0x604
#define PM_RESET	 0x608
#define PM_RESET_VALUE	 0x01
#define PM_SLEEP_TYPE_S5 5
#define PVPANIC_PORT	 0x505

struct vm;

struct pm {
	struct vm *vm;
	pthread_mutex_t lock; /* guards the registers and the SCI's level; before irq's */
	uint16_t status, enable, control;
	bool sci;
};

/* @vm's bus and irq stand already. */
int pm_init(struct pm *pm, struct vm *vm);
void pm_done(struct pm *pm);

/* The user pressed the power button. Any thread. */
void pm_power_button(struct pm *pm);

#endif
