// SPDX-License-Identifier: BSD-2-Clause
#include "tests/attack/hostile.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/runtime/listen.h"
#include "devices/runtime/log.h"

static const char usage[] =
	"Usage: pviommu-hostile --socket PATH --mode MODE [--after N] [--verbose]\n"
	"A device process for tests of the VMM: serves one client, wrongly.\n"
	"\n"
	"  --mode dma   does the DMA that the guest asks for in its registers\n"
	"  --after N    serve N BAR accesses well before what MODE does to them\n"
	"Other modes:\n";

static bool on_work(void *ctx)
{
	struct hostile *h = ctx;

	if (h->mode->work && h->accesses >= h->after)
		return h->mode->work(h);
	return hostile_stream(h);
}

static void on_doorbell(void *ctx, unsigned int n)
{
}

static void on_reset(void *ctx)
{
	struct hostile *h = ctx;

	/* A taken-over device forgets nothing: the stream goes on, to be refused. */
	h->status = ATTACK_S_IDLE;
}

static void on_caps(void *ctx, uint8_t *config, uint8_t *writable)
{
	struct hostile *h = ctx;

	if (h->mode->caps)
		h->mode->caps(h, config);
	else
		config[DEV_MSIX_CAP + 1] = 0;
}

/* Each message goes past the mode before the runtime serves it. */
static bool on_message(void *ctx, struct msg *msg)
{
	struct hostile *h = ctx;

	return h->mode->message && h->mode->message(h, msg);
}

static const struct dev_ops ops = {
	.read = hostile_read,
	.write = hostile_write,
	.doorbell = on_doorbell,
	.work = on_work,
	.reset = on_reset,
	.caps = on_caps,
};

static int help(void)
{
	fputs(usage, stdout);
	for (const struct mode *m = hostile_modes; m->name; m++)
		printf("  %-13s%s\n", m->name, m->what);
	return 0;
}

static const struct mode *find_mode(const char *name)
{
	static const struct mode dma = {"dma", NULL};

	if (!strcmp(name, dma.name))
		return &dma;
	for (const struct mode *m = hostile_modes; m->name; m++) {
		if (!strcmp(name, m->name))
			return m;
	}
	return NULL;
}

static int parse(int argc, char **argv, struct hostile *h, const char **ret_socket)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'}, {"mode", required_argument, NULL, 'm'},
		{"after", required_argument, NULL, 'a'},  {"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			*ret_socket = optarg;
			break;
		case 'm':
			h->mode = find_mode(optarg);
			if (!h->mode) {
				log_line("--mode %s: no such mode: see --help", optarg);
				return 2;
			}
			break;
		case 'a':
			h->after = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'v':
			log_verbose = true;
			break;
		case 'h':
			exit(help());
		default:
			return 2;
		}
	}
	if (!*ret_socket || !h->mode) {
		log_line("give --socket PATH and --mode MODE: see --help");
		return 2;
	}
	return 0;
}

static void describe(struct hostile *h)
{
	h->type = (struct dev_type){
		.name = "hostile",
		.vendor = ATTACK_VENDOR,
		.device = ATTACK_DEVICE,
		.class_rev = 0xff000000,
		.bar = {[HOSTILE_BAR] = {.size = 4096}, [HOSTILE_MSIX_BAR] = {.size = 4096}},
		.nr_vectors = 1,
		.msix_bar = HOSTILE_MSIX_BAR,
		.ops = &ops,
	};
	if (h->mode->type)
		h->mode->type(h);
}

int main(int argc, char **argv)
{
	static struct hostile h;
	const char *socket = NULL;
	int err, sock;

	log_name = "pviommu-hostile";
	err = parse(argc, argv, &h, &socket);
	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN);
	describe(&h);
	sock = listen_once(socket);
	if (sock < 0) {
		log_line("--socket %s: %s", socket, strerror(-sock));
		return 2;
	}
	err = dev_new(&h.type, &h, sock, &h.dev);
	if (err) {
		log_line("can't start: %s", strerror(-err));
		return 1;
	}
	h.dev->spy = on_message;
	err = dev_serve(h.dev);
	/* What it got away with, for the test to compare with what the VMM says. */
	if (h.streaming)
		log_line("stream: accepted %u, refused %u", h.count, h.refused);
	dev_free(h.dev);
	return err ? 1 : 0;
}
