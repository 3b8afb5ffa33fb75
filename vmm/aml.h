/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Just enough AML (ACPI 6.4, chapter 20) for a static DSDT. Calls append; an
 * overflow is remembered in @err and what follows is dropped, so that callers
 * check once, at the end.
 */
#ifndef VMM_AML_H
#define VMM_AML_H

#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t len, room;
	int err; /* -ENOSPC */
};

void aml_init(struct aml *aml, uint8_t *buf, size_t room);

/* Each begin returns a mark for aml_end(), which fills in the length. */
size_t aml_begin_scope(struct aml *aml, const char *name);
size_t aml_begin_device(struct aml *aml, const char *name);
size_t aml_begin_package(struct aml *aml, uint8_t nr_elements);
void aml_end(struct aml *aml, size_t mark);

/* Name(@name, what the next call appends). Names have four characters. */
void aml_name(struct aml *aml, const char *name);
void aml_int(struct aml *aml, uint64_t value);
void aml_eisa_id(struct aml *aml, const char *id); /* as "PNP0501" */
void aml_string(struct aml *aml, const char *text);

/* A resource template (section 6.4), appended as a buffer by aml_resources(). */
struct aml_res {
	uint8_t buf[256];
	size_t len;
	int err;
};

void aml_res_io(struct aml_res *res, uint16_t base, uint8_t len);
void aml_res_irq(struct aml_res *res, unsigned int irq);
void aml_res_mem32_fixed(struct aml_res *res, uint32_t base, uint32_t len);
void aml_res_bus(struct aml_res *res, uint16_t first, uint16_t last);
/* Windows that a bridge produces. */
void aml_res_io_window(struct aml_res *res, uint16_t first, uint16_t last);
void aml_res_mem32_window(struct aml_res *res, uint32_t first, uint32_t last);
void aml_res_mem64_window(struct aml_res *res, uint64_t first, uint64_t last);
void aml_resources(struct aml *aml, const struct aml_res *res);

#endif
