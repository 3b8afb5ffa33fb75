// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "vmm/log.h"
#include "vmm/pm.h"
#include "vmm/vm.h"

#define STATUS_POWER_BUTTON   0x0100
#define CONTROL_SCI_ENABLE    0x0001
#define CONTROL_SLEEP_ENABLE  0x2000
#define CONTROL_SLEEP_TYPE(v) ((v) >> 10 & 7)

#define KBD_PORT	      0x64
#define KBD_RESET	      0xfe

#define PVPANIC_PANICKED      0x01

/* Lock held. */
static void update_sci(struct pm *pm)
{
	bool level = pm->status & pm->enable;

	if (level == pm->sci)
		return;
	pm->sci = level;
	irq_line(&pm->vm->irq, IRQ_SCI, level);
}

/* The registers as the guest sees them. Lock held. */
static void snapshot(const struct pm *pm, uint8_t *reg)
{
	memset(reg, 0, PM_SIZE);
	memcpy(reg, &pm->status, 2);
	memcpy(reg + 2, &pm->enable, 2);
	memcpy(reg + PM_CONTROL - PM_BASE, &pm->control, 2);
}

static void pm_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	struct pm *pm = ctx;
	uint8_t reg[PM_SIZE];

	pthread_mutex_lock(&pm->lock);
	snapshot(pm, reg);
	pthread_mutex_unlock(&pm->lock);
	memcpy(buf, reg + off, len);
}

static void write_control(struct pm *pm, uint16_t value)
{
	/* Write-only bits read as 0; the guest finds ACPI mode on from the start. */
	pm->control = (value & ~CONTROL_SLEEP_ENABLE) | CONTROL_SCI_ENABLE;
	if (value & CONTROL_SLEEP_ENABLE && CONTROL_SLEEP_TYPE(value) == PM_SLEEP_TYPE_S5)
		vm_end(pm->vm, VM_END_POWEROFF);
}

static void pm_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct pm *pm = ctx;
	uint8_t old[PM_SIZE], reg[PM_SIZE];
	uint16_t value;

	pthread_mutex_lock(&pm->lock);
	snapshot(pm, old);
	/* A status bit is cleared by writing 1: bytes not written clear nothing. */
	old[0] = old[1] = 0;
	memcpy(reg, old, sizeof(reg));
	memcpy(reg + off, buf, len);
	memcpy(&value, reg, 2);
	pm->status &= ~value;
	memcpy(&pm->enable, reg + 2, 2);
	update_sci(pm);
	memcpy(&value, reg + PM_CONTROL - PM_BASE, 2);
	if (off < PM_RESET - PM_BASE && off + len > PM_CONTROL - PM_BASE)
		write_control(pm, value);
	pthread_mutex_unlock(&pm->lock);
	if (reg[PM_RESET - PM_BASE] == PM_RESET_VALUE)
		vm_end(pm->vm, VM_END_REBOOT);
}

static const struct bus_ops pm_ops = {.read = pm_read, .write = pm_write};

static void kbd_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	memset(buf, 0xff, len); /* no keyboard controller but its reset line */
}

static void kbd_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct pm *pm = ctx;

	if (*(const uint8_t *)buf == KBD_RESET)
		vm_end(pm->vm, VM_END_REBOOT);
}

static const struct bus_ops kbd_ops = {.read = kbd_read, .write = kbd_write};

static void pvpanic_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	*(uint8_t *)buf = PVPANIC_PANICKED; /* the event that is known here */
}

static void pvpanic_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct pm *pm = ctx;

	if (*(const uint8_t *)buf & PVPANIC_PANICKED)
		vm_end(pm->vm, VM_END_PANIC);
}

static const struct bus_ops pvpanic_ops = {.read = pvpanic_read, .write = pvpanic_write};

int pm_init(struct pm *pm, struct vm *vm)
{
	const struct bus_region region[] = {
		{.base = PM_BASE, .size = PM_SIZE, .ops = &pm_ops, .ctx = pm},
		{.base = KBD_PORT, .size = 1, .ops = &kbd_ops, .ctx = pm},
		{.base = PVPANIC_PORT, .size = 1, .ops = &pvpanic_ops, .ctx = pm},
	};
	int err;

	*pm = (struct pm){.vm = vm, .control = CONTROL_SCI_ENABLE};
	err = pthread_mutex_init(&pm->lock, NULL);
	if (err)
		return -err;
	for (unsigned int i = 0; i < sizeof(region) / sizeof(region[0]); i++) {
		err = bus_add(&vm->bus, BUS_PIO, &region[i]);
		if (err) {
			while (i--)
				bus_remove(&vm->bus, BUS_PIO, region[i].base);
			pthread_mutex_destroy(&pm->lock);
			return err;
		}
	}
	return 0;
}

void pm_done(struct pm *pm)
{
	pthread_mutex_destroy(&pm->lock);
}

void pm_power_button(struct pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->status |= STATUS_POWER_BUTTON;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}
