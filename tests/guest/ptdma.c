// SPDX-License-Identifier: BSD-2-Clause
/*
 * ptdma stock|iosup MARK: lets a device do DMA, by pvi_ptdma.ko, to page tables in every part of
 * their life, to descriptor tables, and to ordinary pages. What the device did is seen in the
 * pages; what the IOMMU did, in QEMU's trace: each DMA is preceded by a mark there (as procs
 * makes them), and a line says what must follow it (marks count from MARK on):
 *   dma MARK ADDRESS read|write refused|done
 */
#include <asm/ldt.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ptdma.h"

#define FIRST_MARK	       1000
#define HALF		       (PTDMA_PAGE / 2) /* of a table of level 4 this much is the process's */
#define WAIT_S		       10

#define SELECTOR_OF_LDT(entry) ((entry) << 3 | 7)

static const char *const level_name[PTDMA_LEVELS] = {"pte", "pmd", "pud", "pgd"};
static int device, last_mark, bad;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

__attribute__((format(printf, 2, 3))) static int check(int good, const char *format, ...)
{
	va_list args;

	fputs(good ? "ok - " : "not ok - ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	bad |= !good;
	return good;
}

static void look(uint64_t pfn, struct ptdma_page *ret_page)
{
	ret_page->pfn = pfn;
	if (ioctl(device, PTDMA_LOOK, ret_page))
		die("look");
}

static int is_empty(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return 0;
	return 1;
}

static int mark(void)
{
	static char nothing[PTDMA_PAGE];
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/vport0p4", O_WRONLY | O_CLOEXEC);
	last_mark++;
	if (fd < 0 || write(fd, nothing, last_mark) != last_mark)
		die("/dev/vport0p4");
	return last_mark;
}

/* bytes go to the page, or come from there. */
static void dma(uint64_t pfn, uint32_t offset, int to_memory, int refused, uint8_t *bytes)
{
	struct ptdma_dma d = {.pfn = pfn, .offset = offset, .to_memory = to_memory};
	int number = mark();

	memcpy(d.bytes, bytes, PTDMA_BYTES);
	if (ioctl(device, PTDMA_DMA, &d))
		die("dma");
	memcpy(bytes, d.bytes, PTDMA_BYTES);
	printf("dma %d %#llx %s %s\n", number, (unsigned long long)d.address,
	       to_memory ? "write" : "read", refused ? "refused" : "done");
}

static void fill(uint8_t *bytes, uint8_t salt)
{
	/* Entries that are not present, should they get into a table. */
	for (int i = 0; i < PTDMA_BYTES; i++)
		bytes[i] = (uint8_t)((i * 37 + salt) & ~1);
}

/* An ordinary page: what the device writes is there, and it reads what is there. */
static int is_served(uint64_t pfn)
{
	static struct ptdma_page page;
	uint8_t sent[PTDMA_BYTES], got[PTDMA_BYTES] = {0};

	fill(sent, (uint8_t)pfn);
	dma(pfn, 512, 1, 0, sent);
	look(pfn, &page);
	if (memcmp(page.bytes + 512, sent, PTDMA_BYTES))
		return 0;
	dma(pfn, 512, 0, 0, got);
	return !memcmp(got, sent, PTDMA_BYTES);
}

static uint64_t any_page(void)
{
	uint64_t pfn;

	if (ioctl(device, PTDMA_ANY, &pfn))
		die("a page");
	return pfn;
}

/* The first place of the process's half that is (not) empty; a write or read there tells. */
static uint32_t place(const struct ptdma_page *page, int empty)
{
	for (uint32_t at = 0; at < HALF; at += PTDMA_BYTES)
		if (is_empty(page->bytes + at, PTDMA_BYTES) == empty)
			return at;
	return 0;
}

/* Not a byte of it changes, nor gets to the device; and the device has not been stopped. */
static void refuses(uint64_t pfn, const char *what, const char *part)
{
	static struct ptdma_page before, after;
	uint8_t bytes[PTDMA_BYTES];
	uint32_t used;

	look(pfn, &before);
	fill(bytes, 0x55);
	dma(pfn, place(&before, 1), 1, 1, bytes);
	look(pfn, &after);
	check(!memcmp(before.bytes, after.bytes, PTDMA_PAGE), "%s %s: a write changes nothing",
	      what, part);
	used = place(&before, 0);
	fill(bytes, 0x66);
	dma(pfn, used, 0, 1, bytes);
	if (!is_empty(before.bytes + used, PTDMA_BYTES))
		check(memcmp(bytes, before.bytes + used, PTDMA_BYTES) != 0,
		      "%s %s: a read gets nothing", what, part);
	check(is_served(any_page()), "%s %s: an ordinary page afterwards", what, part);
}

/* A process with a page of its own, and a descriptor, that waits. */
struct victim {
	pid_t pid;
	int go;
	struct ptdma_tables tables;
	struct ptdma_descriptors descriptors;
};

struct victim_report {
	struct ptdma_tables tables;
	struct ptdma_descriptors descriptors;
};

static _Noreturn void victim(int go, int report)
{
	struct user_desc one = {
		.entry_number = 1, .base_addr = 0x1000, .limit = 0xfff, .seg_32bit = 1};
	/* Alone in its 512 GiB: none of these tables leads to anything else. */
	uint64_t *memory = mmap((void *)(5ul << 39), PTDMA_PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct victim_report r = {.tables.address = (uintptr_t)memory};
	char byte;

	if (memory == MAP_FAILED)
		_exit(2);
	memory[0] = getpid();
	if (syscall(SYS_modify_ldt, 1, &one, sizeof(one)))
		_exit(3);
	/* Xen looks at a descriptor table, and types its page, when a selector is first loaded. */
	__asm__ volatile("mov %0, %%es" ::"r"(SELECTOR_OF_LDT(one.entry_number)));
	if (ioctl(device, PTDMA_TABLES, &r.tables) ||
	    ioctl(device, PTDMA_DESCRIPTORS, &r.descriptors) ||
	    write(report, &r, sizeof(r)) != sizeof(r))
		_exit(3);
	if (read(go, &byte, 1) != 1 || memory[0] != (uint64_t)getpid())
		_exit(4);
	_exit(0);
}

static struct victim victim_new(void)
{
	int go[2], report[2];
	struct victim_report r;
	struct victim v;

	if (pipe(go) || pipe(report))
		die("pipe");
	v.pid = fork();
	if (v.pid < 0)
		die("fork");
	if (!v.pid)
		victim(go[0], report[1]);
	close(go[0]);
	close(report[1]);
	if (read(report[0], &r, sizeof(r)) != sizeof(r)) {
		fputs("ptdma: the victim reported nothing\n", stderr);
		exit(1);
	}
	close(report[0]);
	v.go = go[1];
	v.tables = r.tables;
	v.descriptors = r.descriptors;
	return v;
}

static int victim_end(struct victim *v)
{
	int status;

	if (write(v->go, "", 1) != 1)
		die("victim");
	close(v->go);
	return waitpid(v->pid, &status, 0) == v->pid && !status;
}

/* A table in the pool: nobody's, empty, and as read-only as when it was somebody's. */
static int is_pooled(uint64_t pfn, int level)
{
	static struct ptdma_page page;

	look(pfn, &page);
	return page.is_pinned && !page.is_writable && page.references == 1 && !page.is_table &&
	       is_empty(page.bytes, level == PTDMA_LEVELS - 1 ? HALF : PTDMA_PAGE);
}

static int all_pooled(const struct victim *v)
{
	for (int l = 0; l < PTDMA_LEVELS; l++)
		if (!is_pooled(v->tables.pfn[l], l))
			return 0;
	return 1;
}

/* The last one to leave an address space frees it, perhaps a CPU that is idle. */
static int wait_pooled(const struct victim *v)
{
	time_t end = time(NULL) + WAIT_S;

	while (!all_pooled(v) && time(NULL) < end)
		usleep(10000);
	return all_pooled(v);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

static void attack_live(const struct victim *v)
{
	static struct ptdma_page page;

	for (int l = 0; l < PTDMA_LEVELS; l++) {
		look(v->tables.pfn[l], &page);
		check(page.is_pinned && !page.is_writable, "live %s: is one", level_name[l]);
		refuses(v->tables.pfn[l], "live", level_name[l]);
	}
	refuses(v->descriptors.ldt_pfn, "live", "ldt");
	refuses(v->descriptors.gdt_pfn, "live", "gdt");
}

static void attack_pooled(const struct victim *v)
{
	if (!check(wait_pooled(v), "pooled: the tables of a process that ended"))
		return;
	for (int l = 0; l < PTDMA_LEVELS; l++)
		refuses(v->tables.pfn[l], "pooled", level_name[l]);
	check(all_pooled(v), "pooled: they still are");
}

/* Nobody owns a page that was just freed; for the DMA it is taken out of the allocator. */
static void attack_returned(const __u64 *pfn, const char *what)
{
	for (int l = 0; l < PTDMA_LEVELS; l++)
		if (check(!ioctl(device, PTDMA_THIS, &pfn[l]), "%s %s: is free", what,
			  level_name[l]))
			check(is_served(pfn[l]), "%s %s: is a page as any", what, level_name[l]);
}

int main(int argc, char **argv)
{
	int stock = argc == 3 && !strcmp(argv[1], "stock");
	struct victim v;

	if (!stock && (argc != 3 || strcmp(argv[1], "iosup"))) {
		fputs("usage: ptdma stock|iosup MARK\n", stderr);
		return 2;
	}
	last_mark = atoi(argv[2]);
	device = open(PTDMA_PATH, O_RDWR);
	if (device < 0)
		die(PTDMA_PATH);
	check(is_served(any_page()), "an ordinary page");
	v = victim_new();
	attack_live(&v);
	check(victim_end(&v), "live: the process ends as it should");
	if (!stock) {
		attack_pooled(&v);
		put("/sys/module/iosup/parameters/enabled", "0");
	}
	attack_returned(v.tables.pfn, stock ? "freed" : "returned");
	return bad;
}
