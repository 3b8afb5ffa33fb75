// SPDX-License-Identifier: BSD-2-Clause
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/range.h"
#include "vmm/bootparams.h"
#include "vmm/vmlinux.h"

#define MAX_PHDRS 64
/* Where kernels are linked to run, and programs are not. */
#define KERNEL_HALF 0xffff800000000000ull

bool vmlinux_magic(const void *buf, uint64_t size)
{
	return size >= SELFMAG && !memcmp(buf, ELFMAG, SELFMAG);
}

static int read_at(const struct vmlinux_source *src, uint64_t off, void *buf, uint64_t len)
{
	uint8_t *to = buf;

	if (off > src->size || len > src->size - off)
		return -EINVAL;
	if (src->data) {
		memcpy(to, src->data + off, len);
		return 0;
	}
	while (len) {
		ssize_t n = pread(src->fd, to, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		to += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int read_phdrs(const struct vmlinux_source *src, Elf64_Phdr *phdr, unsigned int *ret_nr,
		      uint64_t *ret_entry, const char **ret_why)
{
	Elf64_Ehdr ehdr;

	*ret_why = "is truncated; get a whole one";
	if (read_at(src, 0, &ehdr, sizeof(ehdr)))
		return -EINVAL;
	*ret_why = "is not an x86-64 ELF kernel; give a Linux bzImage or vmlinux for x86-64";
	if (!vmlinux_magic(&ehdr, sizeof(ehdr)) || ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr.e_ident[EI_DATA] != ELFDATA2LSB || ehdr.e_machine != EM_X86_64 ||
	    ehdr.e_type != ET_EXEC || ehdr.e_phentsize != sizeof(*phdr) || !ehdr.e_phnum ||
	    ehdr.e_phnum > MAX_PHDRS)
		return -EINVAL;
	*ret_why = "is truncated; get a whole one";
	if (read_at(src, ehdr.e_phoff, phdr, ehdr.e_phnum * sizeof(*phdr)))
		return -EINVAL;
	*ret_nr = ehdr.e_phnum;
	*ret_entry = ehdr.e_entry;
	return 0;
}

/* Checks all segments before the first byte is written. */
static int check_phdrs(const struct vmlinux_source *src, const Elf64_Phdr *phdr, unsigned int nr,
		       struct vmlinux_image *image, const char **ret_why)
{
	bool entered = false;

	image->end = 0;
	for (unsigned int i = 0; i < nr; i++) {
		struct pvi_range seg;

		if (phdr[i].p_type != PT_LOAD || !phdr[i].p_memsz)
			continue;
		*ret_why = "is truncated; get a whole one";
		if (phdr[i].p_offset > src->size || phdr[i].p_filesz > src->size - phdr[i].p_offset)
			return -EINVAL;
		*ret_why = "has segments that no kernel has; give a Linux bzImage or vmlinux";
		if (phdr[i].p_filesz > phdr[i].p_memsz ||
		    pvi_range_from_len(phdr[i].p_paddr, phdr[i].p_memsz, &seg) ||
		    seg.first < BOOT_KERNEL_MIN || seg.last >= GPA_HOLE_BASE)
			return -EINVAL;
		if (seg.last >= image->end)
			image->end = seg.last + 1;
		if (!pvi_range_has(seg, image->entry))
			continue;
		entered = true;
		*ret_why = "is a program, not a kernel; give a Linux bzImage or vmlinux";
		if (phdr[i].p_vaddr < KERNEL_HALF)
			return -EINVAL;
	}
	*ret_why = "has no entry point in its segments; give a Linux bzImage or vmlinux";
	return entered ? 0 : -EINVAL;
}

int vmlinux_load(const struct vmlinux_source *src, struct memory *mem,
		 struct vmlinux_image *ret_image, const char **ret_why)
{
	Elf64_Phdr phdr[MAX_PHDRS];
	struct vmlinux_image image;
	unsigned int nr;
	int err;

	err = read_phdrs(src, phdr, &nr, &image.entry, ret_why);
	if (err)
		return err;
	err = check_phdrs(src, phdr, nr, &image, ret_why);
	if (err)
		return err;
	*ret_image = image;
	*ret_why = "does not fit";
	if (image.end > mem->slot[0].size)
		return -ENOSPC;
	for (unsigned int i = 0; i < nr; i++) {
		if (phdr[i].p_type != PT_LOAD || !phdr[i].p_memsz)
			continue;
		*ret_why = "cannot be read; check the disk that holds it";
		err = read_at(src, phdr[i].p_offset, mem->base + phdr[i].p_paddr, phdr[i].p_filesz);
		if (err)
			return -EIO;
		/* The rest is .bss: fresh guest memory is zero, and segments do not overlap. */
	}
	return 0;
}
