// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "pvi_attack.h"

/* Fault reports come with an interrupt: how long one may take. */
#define FAULT_WAIT_MS 2000

void attack_note(struct attack_score *s, const char *format, ...)
{
	size_t used = strlen(s->detail);
	va_list args;

	if (used && used < sizeof(s->detail) - 1)
		s->detail[used++] = ';';
	va_start(args, format);
	vsnprintf(s->detail + used, sizeof(s->detail) - used, format, args);
	va_end(args);
}

void attack_fill_secret(u8 *page, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		page[i] = 0x53 ^ (i * 7);
}

static bool wait_fault(struct attacker *a, s64 before)
{
	unsigned int ms;

	for (ms = 0; ms < FAULT_WAIT_MS; ms += 10) {
		if (attack_counter(a, "faults") > before)
			return true;
		msleep(10);
	}
	return false;
}

/* What both directions have in common; @harmless: nothing was learnt or changed. */
static void judge(struct attacker *a, struct attack_score *s, const char *what, u64 iova,
		  u32 status, bool harmless, s64 faults)
{
	const char *why = NULL;

	s->tried++;
	if (!harmless)
		why = "it went through";
	else if (status != ATTACK_S_REFUSED)
		why = "the device was not refused";
	else if (faults < 0 || !wait_fault(a, faults))
		why = "no fault seen by the guest";
	else if (!attack_alive(a))
		why = "the device is dead";
	if (why)
		attack_note(s, "%s of %#llx: %s (status %u errno %u)", what, iova, why, status,
			    a->engine->error(a));
	else
		s->blocked++;
}

void attack_read(struct attacker *a, struct attack_score *s, u64 iova, const u8 *memory)
{
	s64 faults = attack_counter(a, "faults");
	u8 blank[ATTACK_BYTES], got[ATTACK_BYTES];
	u32 status;

	memset(blank, 0xb1, sizeof(blank));
	attack_put_data(a, blank);
	status = attack_dma(a, ATTACK_C_READ, iova, ATTACK_BYTES);
	attack_get_data(a, got);
	/* Not even part of it: what the device holds is what it held. */
	judge(a, s, "read", iova, status, !memcmp(got, blank, ATTACK_BYTES), faults);
}

void attack_write(struct attacker *a, struct attack_score *s, u64 iova, const u8 *memory)
{
	s64 faults = attack_counter(a, "faults");
	u8 before[ATTACK_BYTES], poison[ATTACK_BYTES];
	u32 status;

	if (memory)
		memcpy(before, memory, ATTACK_BYTES);
	memset(poison, 0xee, sizeof(poison));
	attack_put_data(a, poison);
	status = attack_dma(a, ATTACK_C_WRITE, iova, ATTACK_BYTES);
	judge(a, s, "write", iova, status, !memory || !memcmp(memory, before, ATTACK_BYTES),
	      faults);
}

void attack_both(struct attacker *a, struct attack_score *s, u64 iova, const u8 *memory)
{
	attack_read(a, s, iova, memory);
	attack_write(a, s, iova, memory);
}

static void control(struct attacker *a, const char *name)
{
	seq_printf(a->out, "CONTROL %s %s\n", name, attack_alive(a) ? "ok" : "failed");
}

static void control_irq(struct attacker *a)
{
	if (a->engine->interrupt)
		seq_printf(a->out, "CONTROL interrupt %s\n",
			   a->engine->interrupt(a) ? "ok" : "failed");
}

static void run_case(struct attacker *a, const struct attack_case *c)
{
	struct attack_score s = {0};

	/* What earlier cases left, waiting or idle, is not what this one is about. */
	attack_knob(a, "reclaim", "1");
	c->run(a, &s);
	seq_printf(a->out, "ATTACK %s %u %u %s\n", c->name, s.tried, s.blocked,
		   s.detail[0] ? s.detail : "refused");
}

const char *attack_outcome(struct attacker *a, u32 command, u64 iova, const u8 *memory)
{
	u8 before[ATTACK_BYTES], poison[ATTACK_BYTES], got[ATTACK_BYTES];
	bool through;
	u32 status;

	memcpy(before, memory, ATTACK_BYTES);
	memset(poison, 0xee, sizeof(poison));
	attack_put_data(a, poison);
	status = attack_dma(a, command, iova, ATTACK_BYTES);
	attack_get_data(a, got);
	through = command == ATTACK_C_READ ? !memcmp(got, before, ATTACK_BYTES)
					   : !!memcmp(memory, before, ATTACK_BYTES);
	if (status == ATTACK_S_OK)
		return through ? "possible" : "harmless";
	return status == ATTACK_S_REFUSED && !through ? "refused" : "failed";
}

void attack_cases_run(struct attacker *a)
{
	unsigned int i;

	for (i = 0; i < nr_attack_cases; i++)
		run_case(a, &attack_cases[i]);
	attack_reuse(a);
}

static void attack_all(struct attacker *a, void (*what)(struct attacker *a))
{
	struct device *dev = &a->pdev->dev;

	a->control = (u8 *)get_zeroed_page(GFP_KERNEL);
	if (!a->control)
		return;
	a->control_addr = dma_map_single(dev, a->control, PAGE_SIZE, DMA_BIDIRECTIONAL);
	if (!dma_mapping_error(dev, a->control_addr)) {
		control(a, "before");
		control_irq(a);
		what(a);
		control(a, "after");
		dma_unmap_single(dev, a->control_addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	} else {
		seq_puts(a->out, "CONTROL before failed\n");
	}
	free_page((unsigned long)a->control);
}

int attack_show(struct seq_file *out, void (*what)(struct attacker *a))
{
	struct attacker *a = out->private;
	char strategy[32] = "unknown";

	mutex_lock(&a->lock);
	a->out = out;
	attack_text(a, "strategy", strategy, sizeof(strategy));
	seq_printf(out, "STRATEGY %s\n", strategy);
	attack_all(a, what);
	mutex_unlock(&a->lock);
	return 0;
}
