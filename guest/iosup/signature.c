// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares a function of the running kernel with the prototype that we were written for, by
 * the kernel's own type information (BTF): a kernel that changed one refuses us at load,
 * where it would otherwise crash at the first call.
 */
#include <linux/btf.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "iosup.h"

#define MOST_TEXT 160

static struct btf *(*get_vmlinux)(void);
static s32 (*find_by_name_kind)(const struct btf *btf, const char *name, u8 kind);
static const char *(*name_by_offset)(const struct btf *btf, u32 offset);
static struct btf *vmlinux;

int iosup_signature_init(void)
{
	get_vmlinux = iosup_symbol("bpf_get_btf_vmlinux");
	find_by_name_kind = iosup_symbol("btf_find_by_name_kind");
	name_by_offset = iosup_symbol("btf_name_by_offset");
	if (!get_vmlinux || !find_by_name_kind || !name_by_offset)
		return -ENOENT;
	vmlinux = get_vmlinux();
	if (IS_ERR_OR_NULL(vmlinux)) {
		pr_err("iosup: this kernel has no type information (CONFIG_DEBUG_INFO_BTF)\n");
		return -ENOENT;
	}
	return 0;
}

static bool is_qualifier(const struct btf_type *t)
{
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return true;
	default:
		return false;
	}
}

/* Appends a type: its name, a star for each pointer, void for none. */
static void put_type(char *text, u32 id)
{
	const struct btf_type *t;
	int stars = 0;

	for (t = btf_type_by_id(vmlinux, id); t; t = btf_type_by_id(vmlinux, t->type)) {
		if (btf_type_is_ptr(t))
			stars++;
		else if (!is_qualifier(t))
			break;
	}
	strlcat(text, t && t->name_off ? name_by_offset(vmlinux, t->name_off) : "void", MOST_TEXT);
	while (stars--)
		strlcat(text, "*", MOST_TEXT);
}

static void put_prototype(char *text, const struct btf_type *proto)
{
	const struct btf_param *param = btf_params(proto);
	u16 i, n = btf_type_vlen(proto);

	put_type(text, proto->type);
	strlcat(text, " (", MOST_TEXT);
	for (i = 0; i < n; i++) {
		strlcat(text, i ? ", " : "", MOST_TEXT);
		put_type(text, param[i].type);
	}
	strlcat(text, n ? ")" : "void)", MOST_TEXT);
}

int iosup_signature_check(const char *function, const char *expected)
{
	s32 id = find_by_name_kind(vmlinux, function, BTF_KIND_FUNC);
	const struct btf_type *t;
	char text[MOST_TEXT] = "";

	if (id < 0) {
		pr_err("iosup: this kernel has no type information about %s\n", function);
		return -ENOENT;
	}
	t = btf_type_by_id(vmlinux, id);
	put_prototype(text, btf_type_by_id(vmlinux, t->type));
	if (!strcmp(text, expected))
		return 0;
	pr_err("iosup: %s is %s in this kernel, expected %s\n", function, text, expected);
	return -EPROTO;
}
