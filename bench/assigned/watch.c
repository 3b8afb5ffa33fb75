// SPDX-License-Identifier: BSD-2-Clause
/*
 * assign-watch OUT SECONDS COMMAND [ARG]...
 *
 * Runs a VMM, or assign-load itself, and answers the marks on its console. Around each pass it
 * reads, and appends to OUT as one JSON object, what the pass took: the machine's clock without
 * the time that it was idle, KVM's counts, and what is locked of the memory of COMMAND. In a
 * pass with kinds=1 also, by the kernel's trace events, exits by their reason, accesses to
 * MSRs that left the guest, and calls to map and unmap in the IOMMU; events cost
 * instructions, so they are off in all others. Lines PVI KEY=VALUE... pass through.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/busy.h"
#include "bench/kvm_counts.h"

#define EVENTS "/sys/kernel/tracing/events/"

static const struct event {
	const char *name, *folder, *key;
} events[] = {
	{"exit_reasons", EVENTS "kvm/kvm_exit", "exit_reason.hex"},
	{"msrs", EVENTS "kvm/kvm_msr", "ecx.hex"},
	{"host_map", EVENTS "iommu/map", "common_type"},
	{"host_unmap", EVENTS "iommu/unmap", "common_type"},
};

#define SETTLE_US 40000
#define NR_EVENTS (sizeof(events) / sizeof(events[0]))

struct watch {
	FILE *out, *console, *answers;
	/* The pass that has begun: of one without an end nothing gets to OUT. */
	FILE *pass;
	char *text;
	size_t size;
	pid_t pid;
	bool kinds;
	uint64_t clock, idle;
};

static pid_t child;

static void out_of_time(int number)
{
	kill(child, SIGKILL);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fclose(f))
		err(1, "%s", path);
}

/* A fresh histogram each: what it counted before goes with it. */
static void count_events(bool on)
{
	char text[128];

	for (size_t i = 0; i < NR_EVENTS; i++) {
		snprintf(text, sizeof(text), "%shist:keys=%s", on ? "" : "!", events[i].key);
		write_file(events[i].folder, "trigger", text);
	}
}

/* Lines such as "{ exit_reason:         78 } hitcount:         33". */
static void print_histogram(const struct event *event, FILE *out)
{
	char path[256], line[256], key[64];
	unsigned long long hits;
	bool any = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/hist", event->folder);
	f = fopen(path, "re");
	if (!f)
		err(1, "%s", path);
	fprintf(out, ",\"%s\":{", event->name);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "{ %*[a-z_]: %63s } hitcount: %llu", key, &hits) != 2)
			continue;
		fprintf(out, "%s\"%s\":%llu", any ? "," : "", key, hits);
		any = true;
	}
	fputc('}', out);
	fclose(f);
}

static void print_locked(pid_t pid, FILE *out)
{
	unsigned long long kb = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %llu kB", &kb) == 1)
			break;
	fclose(f);
	fprintf(out, ",\"locked_kib\":%llu", kb);
}

/* The value of KEY=VALUE words as members of an object: numbers bare, words quoted. */
static void print_words(char *words, FILE *out)
{
	char *save = NULL;

	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *value = strchr(w, '=');

		if (!value || strpbrk(w, "\"\\"))
			continue;
		*value++ = '\0';
		if (value[0] && strspn(value, "0123456789") == strlen(value))
			fprintf(out, ",\"%s\":%s", w, value);
		else
			fprintf(out, ",\"%s\":\"%s\"", w, value);
	}
}

/* KVM's counts now; their difference is up to whoever reads OUT. */
static void print_counts(struct watch *w, const char *name)
{
	fprintf(w->pass, ",\"%s\":{\"pid\":%d", name, w->pid);
	kvm_counts_print(w->pid, w->pass);
	fputc('}', w->pass);
}

/* What closed files leave to RCU is done some ticks later, and not in a pass. */
static void settle(void)
{
	usleep(SETTLE_US);
}

static void begin(struct watch *w, char *words)
{
	w->kinds = strstr(words, "kinds=1") != NULL;
	if (w->kinds && strstr(words, "pass=0 work=1 "))
		printf("   %s\n", words);
	w->pass = open_memstream(&w->text, &w->size);
	if (!w->pass)
		err(1, "open_memstream");
	fprintf(w->pass, "{\"type\":\"pass\"");
	print_words(words, w->pass);
	if (w->kinds)
		count_events(true);
	print_counts(w, "kvm_begin");
	settle();
	w->idle = bench_idle_ns();
	w->clock = bench_clock_ns(CLOCK_MONOTONIC);
}

static void end(struct watch *w)
{
	uint64_t clock = bench_clock_ns(CLOCK_MONOTONIC) - w->clock;
	uint64_t idle = bench_idle_ns() - w->idle;

	if (!w->pass)
		errx(1, "an end without a begin");
	print_counts(w, "kvm_end");
	if (w->kinds) {
		for (size_t i = 0; i < NR_EVENTS; i++)
			print_histogram(&events[i], w->pass);
		count_events(false);
	}
	print_locked(w->pid, w->pass);
	fprintf(w->pass, ",\"clock\":%llu,\"busy\":%lld}\n", (unsigned long long)clock,
		(long long)(clock - idle));
	if (fclose(w->pass))
		err(1, "memory");
	w->pass = NULL;
	fputs(w->text, w->out);
	fflush(w->out);
	free(w->text);
}

static void answer(struct watch *w)
{
	fputc('\n', w->answers);
	if (fflush(w->answers))
		err(1, "answer");
}

static void take_line(struct watch *w, char *line)
{
	line[strcspn(line, "\r\n")] = '\0';
	if (!strncmp(line, "PVI mark=begin ", 15)) {
		begin(w, line + 15);
		answer(w);
	} else if (!strcmp(line, "PVI mark=end")) {
		end(w);
		answer(w);
	} else if (!strncmp(line, "PVI ", 4)) {
		fprintf(w->out, "{\"type\":\"said\"");
		print_words(line + 4, w->out);
		fprintf(w->out, "}\n");
	} else {
		puts(line);
	}
}

static void start(struct watch *w, char **argv)
{
	int from[2], to[2];

	if (pipe(from) || pipe(to))
		err(1, "pipe");
	w->pid = child = fork();
	if (w->pid < 0)
		err(1, "fork");
	if (!w->pid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		dup2(from[1], STDERR_FILENO);
		close(from[0]);
		close(to[1]);
		execvp(argv[0], argv);
		err(1, "%s", argv[0]);
	}
	close(from[1]);
	close(to[0]);
	w->console = fdopen(from[0], "r");
	w->answers = fdopen(to[1], "w");
	if (!w->console || !w->answers)
		err(1, "fdopen");
}

int main(int argc, char **argv)
{
	struct watch w = {0};
	char *line = NULL;
	size_t size = 0;
	int status;

	if (argc < 4) {
		fputs("usage: assign-watch OUT SECONDS COMMAND [ARG]...\n", stderr);
		return 2;
	}
	w.out = fopen(argv[1], "ae");
	if (!w.out)
		err(1, "%s", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	start(&w, argv + 3);
	signal(SIGALRM, out_of_time);
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned int)atoi(argv[2]));
	while (getline(&line, &size, w.console) > 0)
		take_line(&w, line);
	if (waitpid(w.pid, &status, 0) != w.pid)
		err(1, "waitpid");
	fclose(w.out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
