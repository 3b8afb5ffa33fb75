// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where the memory of a running VM is in its host, for tests that aim a device of another at it.
 * Needs root.
 *   vmmem secret PID TEXT [MIN]  guest pages that hold TEXT over and over: how many there are;
 *                                of 40 of them that lie at MIN (bytes) or above in the host, the
 *                                addresses: in the host, in the process, in the guest
 *   vmmem watch MIB SECONDS      fresh memory of the host, filled: does it stay "whole"?
 *   vmmem program PID            the same of the first page of the VMM's program, and its bytes
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096u
#define MOST 40u
#define BULK (256u * PAGE)

static char folder[64];

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_file(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die(path);
	return fd;
}

/* 0: not in memory. */
static uint64_t host_address(int pagemap, uint64_t hva)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry), (off_t)(hva / PAGE * sizeof(entry))) !=
		    sizeof(entry) ||
	    !(entry >> 63))
		return 0;
	return (entry & ((1ull << 55) - 1)) * PAGE;
}

/* The first mapping whose line has @word. */
static bool find_mapping(const char *word, uint64_t *ret_first, uint64_t *ret_end)
{
	char path[128], line[512];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/maps", folder);
	f = fopen(path, "r");
	if (!f)
		die(path);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, word) &&
			sscanf(line, "%" SCNx64 "-%" SCNx64, ret_first, ret_end) == 2;
	fclose(f);
	return found;
}

static void show(uint64_t host, uint64_t hva, uint64_t gpa)
{
	printf("page host=0x%" PRIx64 " process=0x%" PRIx64 " guest=0x%" PRIx64 "\n", host, hva,
	       gpa);
}

static int secret(const char *text, uint64_t min)
{
	static uint8_t want[PAGE], got[BULK];
	int mem = open_file("mem"), pagemap = open_file("pagemap");
	unsigned int count = 0, shown = 0;
	uint64_t first, end, host;

	for (unsigned int i = 0; i < PAGE; i++)
		want[i] = (uint8_t)text[i % strlen(text)];
	if (!find_mapping("/memfd:", &first, &end))
		die("no guest memory");
	for (uint64_t at = first; at < end; at += BULK) {
		ssize_t n = pread(mem, got, BULK < end - at ? BULK : end - at, (off_t)at);

		for (ssize_t off = 0; off + PAGE <= n; off += PAGE) {
			if (memcmp(got + off, want, PAGE))
				continue;
			count++;
			host = host_address(pagemap, at + (uint64_t)off);
			if (host < min || !host || shown == MOST)
				continue;
			shown++;
			show(host, at + (uint64_t)off, at + (uint64_t)off - first);
		}
	}
	printf("count=%u\n", count);
	return 0;
}

static int program(void)
{
	int mem = open_file("mem"), pagemap = open_file("pagemap");
	uint64_t first, end;
	uint8_t byte[32];

	if (!find_mapping("/pviommu", &first, &end) ||
	    pread(mem, byte, sizeof(byte), (off_t)first) != sizeof(byte))
		die("no program");
	show(host_address(pagemap, first), first, 0);
	printf("bytes=");
	for (unsigned int i = 0; i < sizeof(byte); i++)
		printf("%02x", byte[i]);
	putchar('\n');
	return 0;
}

static int watch(size_t mib, unsigned int seconds)
{
	size_t len = mib << 20;
	uint8_t *mem = malloc(len), page[PAGE];
	bool whole = true;

	if (!mem)
		die("memory");
	memset(page, 0x77, sizeof(page));
	memset(mem, 0x77, len);
	puts("filled");
	fflush(stdout);
	sleep(seconds);
	for (size_t off = 0; off < len; off += PAGE)
		whole = whole && !memcmp(mem + off, page, PAGE);
	puts(whole ? "whole" : "changed");
	free(mem);
	return !whole;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "watch"))
		return watch(strtoul(argv[2], NULL, 10), (unsigned int)strtoul(argv[3], NULL, 10));
	if (argc >= 3)
		snprintf(folder, sizeof(folder), "/proc/%s", argv[2]);
	if (argc >= 4 && !strcmp(argv[1], "secret") && *argv[3])
		return secret(argv[3], argc > 4 ? strtoull(argv[4], NULL, 0) : 0);
	if (argc == 3 && !strcmp(argv[1], "program"))
		return program();
	fputs("usage: vmmem secret PID TEXT [MIN] | program PID | watch MIB SECONDS\n", stderr);
	return 2;
}
