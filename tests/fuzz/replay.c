// SPDX-License-Identifier: BSD-2-Clause
/* Runs a fuzz target over the files of the corpus folders given, once each. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

static int replay(const char *dir, const char *name)
{
	static uint8_t buf[INPUT_MAX];
	char path[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	/* Shown before, so that the last line names what crashed. */
	printf("%s: %zu bytes\n", path, len);
	fflush(stdout);
	return LLVMFuzzerTestOneInput(buf, len);
}

int main(int argc, char **argv)
{
	int files = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *e;

		if (!d) {
			perror(argv[i]);
			return 1;
		}
		while ((e = readdir(d))) {
			if (e->d_name[0] == '.')
				continue;
			if (replay(argv[i], e->d_name))
				return 1;
			files++;
		}
		closedir(d);
	}
	if (!files) {
		fprintf(stderr, "no inputs\n");
		return 1;
	}
	return 0;
}
