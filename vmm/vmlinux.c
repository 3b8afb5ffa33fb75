// SPDX-License-Identifier: BSD-2-Clause
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/range.h"
#include "vmm/bootparams.h"
#include "vmm/vmlinux.h"

#define MAX_PHDRS 64
#define MAX_SHDRS 128
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

/* Sections that have no bytes, .bss first of all: fresh guest memory is zero already. */
struct blank {
	uint64_t vaddr[MAX_SHDRS], size[MAX_SHDRS];
	unsigned int nr;
};

/* A file without (sane) section headers has none, and is read whole. */
static void read_blank(const struct vmlinux_source *src, struct blank *blank)
{
	Elf64_Ehdr ehdr;
	Elf64_Shdr shdr;

	blank->nr = 0;
	if (read_at(src, 0, &ehdr, sizeof(ehdr)) || ehdr.e_shentsize != sizeof(shdr) ||
	    ehdr.e_shnum > MAX_SHDRS)
		return;
	for (unsigned int i = 0; i < ehdr.e_shnum; i++) {
		uint64_t off;

		if (__builtin_add_overflow(ehdr.e_shoff, i * sizeof(shdr), &off) ||
		    read_at(src, off, &shdr, sizeof(shdr)))
			return;
		if (shdr.sh_type != SHT_NOBITS || !(shdr.sh_flags & SHF_ALLOC) ||
		    shdr.sh_flags & SHF_TLS)
			continue;
		blank->vaddr[blank->nr] = shdr.sh_addr;
		blank->size[blank->nr] = shdr.sh_size;
		blank->nr++;
	}
}

/*
 * How many bytes from @at on, which is a place in the segment, are alike: all
 * to be read, or all blank. At least one.
 */
static uint64_t alike(const struct blank *blank, const Elf64_Phdr *seg, uint64_t at,
		      bool *ret_blank)
{
	uint64_t len = seg->p_filesz - at;

	*ret_blank = false;
	for (unsigned int i = 0; i < blank->nr; i++) {
		uint64_t start = blank->vaddr[i] - seg->p_vaddr;

		if (blank->vaddr[i] < seg->p_vaddr || start >= seg->p_filesz)
			continue;
		if (start > at) {
			len = start - at < len ? start - at : len;
		} else if (at - start < blank->size[i]) {
			uint64_t left = blank->size[i] - (at - start);

			*ret_blank = true;
			return left < seg->p_filesz - at ? left : seg->p_filesz - at;
		}
	}
	return len;
}

static int load_segment(const struct vmlinux_source *src, const struct blank *blank,
			const Elf64_Phdr *seg, struct memory *mem)
{
	uint64_t len;

	for (uint64_t at = 0; at < seg->p_filesz; at += len) {
		bool skip;

		len = alike(blank, seg, at, &skip);
		if (!skip && read_at(src, seg->p_offset + at, mem->base + seg->p_paddr + at, len))
			return -EIO;
	}
	return 0;
}

int vmlinux_load(const struct vmlinux_source *src, struct memory *mem,
		 struct vmlinux_image *ret_image, const char **ret_why)
{
	Elf64_Phdr phdr[MAX_PHDRS];
	struct vmlinux_image image;
	struct blank blank;
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
	*ret_why = "cannot be read; check the disk that holds it";
	read_blank(src, &blank);
	for (unsigned int i = 0; i < nr; i++) {
		if (phdr[i].p_type != PT_LOAD || !phdr[i].p_memsz)
			continue;
		err = load_segment(src, &blank, &phdr[i], mem);
		if (err)
			return err;
		/* The rest is .bss: fresh guest memory is zero, and segments do not overlap. */
	}
	return 0;
}
