// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host_pci.h"
#include "vmm/log.h"
#include "vmm/options.h"

#define MIB	      (1ull << 20)
#define DEFAULT_MEM   (512 * MIB)
#define DEFAULT_GRACE 10
#define MAX_GRACE     86400
/* What the guest-physical map has room for, long before an address space ends. */
#define MAX_MEM (1ull << 40)

enum {
	OPT_KERNEL = 256,
	OPT_INITRD,
	OPT_CMDLINE,
	OPT_MEM,
	OPT_CPUS,
	OPT_DISK,
	OPT_DEVICE,
	OPT_ASSIGN,
	OPT_IOMMU,
	OPT_STATS,
	OPT_GRACE,
	OPT_QUIRKS,
	OPT_HELP,
	OPT_VERBOSE,
};

static const struct option long_options[] = {
	{"kernel", required_argument, NULL, OPT_KERNEL},
	{"initrd", required_argument, NULL, OPT_INITRD},
	{"cmdline", required_argument, NULL, OPT_CMDLINE},
	{"mem", required_argument, NULL, OPT_MEM},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"disk", required_argument, NULL, OPT_DISK},
	{"device", required_argument, NULL, OPT_DEVICE},
	{"assign", required_argument, NULL, OPT_ASSIGN},
	{"iommu", required_argument, NULL, OPT_IOMMU},
	{"stats", required_argument, NULL, OPT_STATS},
	{"grace", required_argument, NULL, OPT_GRACE},
	{"testbed-quirks", no_argument, NULL, OPT_QUIRKS},
	{"verbose", no_argument, NULL, OPT_VERBOSE},
	{"help", no_argument, NULL, OPT_HELP},
	{},
};

void options_usage(FILE *out)
{
	fputs("usage: pviommu run --kernel FILE [OPTION]...\n"
	      "\n"
	      "  --kernel FILE         Linux bzImage or uncompressed vmlinux, x86-64\n"
	      "  --initrd FILE         initial RAM disk\n"
	      "  --cmdline TEXT        kernel command line, used as it is\n"
	      "                        (default: \"" OPTIONS_DEFAULT_CMDLINE "\")\n"
	      "  --mem SIZE            guest memory in bytes, or with K, M or G (default: 512M)\n"
	      "  --cpus N              virtual CPUs, 1 to 8 (default: 1)\n"
	      "  --disk PATH[,ro]      a disk, simulated in a process of its own; repeatable\n"
	      "  --device socket=PATH  a vfio-user device process that listens there; repeatable\n"
	      "  --assign BDF          a PCI device of the host, as 0000:01:00.0; repeatable\n"
	      "  --iommu MODE          strict: no DMA before the guest attaches a device "
	      "(default)\n"
	      "                        boot-bypass: DMA passes until then; off: no virtio-iommu\n"
	      "  --stats FILE          write counts as JSON at the end, and on SIGUSR1\n"
	      "  --grace SECONDS       time to power off after SIGTERM (default: 10)\n"
	      "  -v, --verbose         say more\n"
	      "  -h, --help            this text\n"
	      "\n"
	      "The console is the terminal: Ctrl-A x leaves, Ctrl-A h lists the other keys.\n"
	      "Exit status: 0 power-off, 1 failure, 2 bad usage, 3 reboot, 4 panic, 5 crash,\n"
	      "6 ended after SIGTERM, 7 left by Ctrl-A x. See pviommu-run(1).\n",
	      out);
}

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	/* strtoull takes signs and blanks; a user means neither. */
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int parse_size(const char *text, uint64_t *ret)
{
	static const char suffix[] = "KMG";
	unsigned int shift = 0;
	uint64_t value;
	char digits[24];
	size_t len = strlen(text);
	const char *s;

	if (!len || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len + 1);
	s = strchr(suffix, toupper((unsigned char)digits[len - 1]));
	if (s) {
		shift = 10 * (unsigned int)(s - suffix + 1);
		digits[len - 1] = '\0';
	}
	if (parse_number(digits, 0, UINT64_MAX >> shift, &value))
		return -EINVAL;
	*ret = value << shift;
	return 0;
}

static int parse_mem(struct options *opts, const char *text)
{
	if (parse_size(text, &opts->mem)) {
		log_error("--mem %s: not a size; give bytes, or a number with K, M or G, as 512M",
			  text);
		return -EINVAL;
	}
	/* Too little depends on the kernel: the loader says how much it takes. */
	if (opts->mem % 4096 && opts->mem > MIB) {
		log_error("--mem %s: not a multiple of 4K; give %lluK", text,
			  (unsigned long long)(opts->mem / 4096 + 1) * 4);
		return -EINVAL;
	}
	if (opts->mem > MAX_MEM) {
		log_error("--mem %s: more than a guest can have; give at most 1024G", text);
		return -EINVAL;
	}
	opts->mem_text = text;
	return 0;
}

static int parse_unsigned(const char *name, const char *text, unsigned int min, unsigned int max,
			  unsigned int *ret)
{
	uint64_t value;

	if (parse_number(text, min, max, &value)) {
		log_error("%s %s: not a number from %u to %u; give one of those", name, text, min,
			  max);
		return -EINVAL;
	}
	*ret = (unsigned int)value;
	return 0;
}

static int parse_iommu(struct options *opts, const char *text)
{
	static const char *const name[] = {[VM_IOMMU_STRICT] = "strict",
					   [VM_IOMMU_BOOT_BYPASS] = "boot-bypass",
					   [VM_IOMMU_OFF] = "off"};

	for (unsigned int i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		if (!strcmp(text, name[i])) {
			opts->iommu = (enum vm_iommu)i;
			return 0;
		}
	}
	log_error("--iommu %s: no such mode; give strict, boot-bypass or off", text);
	return -EINVAL;
}

static int add_device(struct options *opts, const char *name, enum option_device kind,
		      const char *text, const char *path, size_t path_len, bool read_only)
{
	unsigned int n = opts->nr_devices;

	if (n == OPTIONS_MAX_DEVICES) {
		log_error("%s %s: one device too many; give at most %d", name, text,
			  OPTIONS_MAX_DEVICES);
		return -EINVAL;
	}
	opts->device[n].path = strndup(path, path_len);
	if (!opts->device[n].path) {
		log_error("%s %s: out of memory; free some", name, text);
		return -ENOMEM;
	}
	opts->device[n].kind = kind;
	opts->device[n].read_only = read_only;
	opts->device[n].text = text;
	opts->nr_devices++;
	return 0;
}

static int parse_disk(struct options *opts, const char *text)
{
	size_t len = strlen(text);
	bool read_only = len > 3 && !strcmp(text + len - 3, ",ro");

	if (read_only)
		len -= 3;
	if (!len) {
		log_error("--disk %s: no path; give the path of an image or block device", text);
		return -EINVAL;
	}
	return add_device(opts, "--disk", OPTION_DISK, text, text, len, read_only);
}

static int parse_device(struct options *opts, const char *text)
{
	static const char key[] = "socket=";
	size_t skip = sizeof(key) - 1;

	if (strncmp(text, key, skip) || !text[skip]) {
		log_error("--device %s: not of the form socket=PATH; give the socket that the "
			  "device process listens on",
			  text);
		return -EINVAL;
	}
	return add_device(opts, "--device", OPTION_SOCKET, text, text + skip, strlen(text + skip),
			  false);
}

static int parse_assign(struct options *opts, const char *text)
{
	static const char unsafe[] = ",unsafe-interrupts";
	char bdf[HOST_PCI_BDF_SIZE];
	size_t len = strcspn(text, ",");
	int err;

	if (host_pci_parse(text, len, bdf) || (text[len] && strcmp(text + len, unsafe))) {
		log_error("--assign %s: not a PCI address; give one as 0000:01:00.0, see pviommu "
			  "devices",
			  text);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < opts->nr_devices; i++) {
		if (opts->device[i].kind == OPTION_ASSIGN && !strcmp(opts->device[i].path, bdf)) {
			log_error("--assign %s: given twice; give it once", text);
			return -EINVAL;
		}
	}
	err = add_device(opts, "--assign", OPTION_ASSIGN, text, bdf, strlen(bdf), false);
	if (!err)
		opts->device[opts->nr_devices - 1].unsafe_interrupts = text[len];
	return err;
}

static int parse_one(struct options *opts, int opt, const char *text)
{
	switch (opt) {
	case OPT_KERNEL:
		opts->kernel = text;
		return 0;
	case OPT_INITRD:
		opts->initrd = text;
		return 0;
	case OPT_CMDLINE:
		opts->cmdline = text;
		return 0;
	case OPT_STATS:
		opts->stats = text;
		return 0;
	case OPT_MEM:
		return parse_mem(opts, text);
	case OPT_CPUS:
		return parse_unsigned("--cpus", text, 1, OPTIONS_MAX_CPUS, &opts->cpus);
	case OPT_GRACE:
		return parse_unsigned("--grace", text, 0, MAX_GRACE, &opts->grace);
	case OPT_IOMMU:
		return parse_iommu(opts, text);
	case OPT_DISK:
		return parse_disk(opts, text);
	case OPT_DEVICE:
		return parse_device(opts, text);
	case OPT_ASSIGN:
		return parse_assign(opts, text);
	case OPT_QUIRKS:
		opts->testbed_quirks = true;
		return 0;
	case OPT_VERBOSE:
	case 'v':
		opts->verbose = true;
		return 0;
	case OPT_HELP:
	case 'h':
		opts->help = true;
		return 0;
	}
	return -EINVAL;
}

static void complain(int opt, char **argv)
{
	if (opt == ':')
		log_error("%s: needs a value; see pviommu run --help", argv[optind - 1]);
	else if (optopt > 0 && optopt < 256)
		log_error("-%c: no such option; see pviommu run --help", optopt);
	else
		log_error("%s: no such option, or no value wanted; see pviommu run --help",
			  argv[optind - 1]);
}

int options_parse(struct options *ret, int argc, char **argv)
{
	int opt, err;

	*ret = (struct options){.cmdline = OPTIONS_DEFAULT_CMDLINE,
				.mem = DEFAULT_MEM,
				.mem_text = "512M",
				.cpus = 1,
				.grace = DEFAULT_GRACE,
				.iommu = VM_IOMMU_STRICT};
	optind = 0; /* GNU: start afresh, the tests parse many times */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:vh", long_options, NULL)) != -1) {
		if (opt == ':' || opt == '?') {
			complain(opt, argv);
			return -EINVAL;
		}
		err = parse_one(ret, opt, optarg);
		if (err)
			return err;
	}
	if (ret->help)
		return 0;
	if (optind < argc) {
		log_error("%s: not an option; see pviommu run --help", argv[optind]);
		return -EINVAL;
	}
	if (!ret->kernel) {
		log_error("--kernel: missing; give a Linux bzImage or vmlinux");
		return -EINVAL;
	}
	return 0;
}

void options_done(struct options *opts)
{
	for (unsigned int i = 0; i < opts->nr_devices; i++)
		free(opts->device[i].path);
	opts->nr_devices = 0;
}
