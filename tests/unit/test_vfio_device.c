// SPDX-License-Identifier: BSD-2-Clause
/* A real device on the bus, from the guest's side and from the host's. */
#include <errno.h>
#include <json-c/json.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "vfio_guest.h"
#include "vmm/log.h"

#define ROM   0xc0100000u
#define TABLE (BAR0 + 0x2000)

static void place_bars(uint16_t command)
{
	set_cfg(PCI_BASE_ADDRESS_0, (uint32_t)BAR0, 4);
	set_cfg(PCI_BASE_ADDRESS_1, 0x2000, 4);
	set_cfg(PCI_BASE_ADDRESS_2, (uint32_t)BAR2, 4);
	set_cfg(PCI_BASE_ADDRESS_3, (uint32_t)(BAR2 >> 32), 4);
	set_cfg(PCI_COMMAND, command, 2);
}

static void at_the_start(void **state)
{
	assert_int_equal(start(), 0);
	assert_string_equal(said, "");
	assert_int_equal(fake_sys.resets, 1);
	assert_int_equal(fake_sys_command(), ON);
	/* The line is on, as the guest finds it; nothing decodes. */
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_INTX_IRQ_INDEX);
	assert_int_equal(fake_irq.irqfd[0].gsi, 16 + SLOT);
	assert_int_equal(fake_sys_slots(), 0);
	assert_int_equal(cfg(PCI_VENDOR_ID, 4), 0x10d38086);
	assert_int_equal(cfg(PCI_COMMAND, 2), 0);
	assert_int_equal(cfg(PCI_INTERRUPT_PIN, 1), 1);
	assert_int_equal(cfg(0x100, 4), 0);
}

static void bars_of_the_guest(void **state)
{
	uint64_t off;
	uint8_t byte = 0;

	assert_int_equal(start(), 0);
	set_cfg(PCI_BASE_ADDRESS_0, UINT32_MAX, 4);
	assert_int_equal(cfg(PCI_BASE_ADDRESS_0, 4), 0xffffc000);
	place_bars(ON);
	assert_int_equal(fake_sys_slot(BAR0, 0, &off), 0x2000);
	assert_int_equal(fake_sys_slot(BAR2, 2, &off), 0x8000);
	/* Real BARs are the host's: what the guest wrote is not there. */
	assert_int_equal(pvi_get32(fake_sys.region[7].byte + PCI_BASE_ADDRESS_0), 0xfeb00000);
	/* Onto RAM it cannot go. */
	set_cfg(PCI_BASE_ADDRESS_0, 0, 4);
	assert_int_equal(fake_sys_slot(0, 0, &off), 0);
	set_cfg(PCI_BASE_ADDRESS_0, 0x80000, 4);
	assert_int_equal(fake_sys_slots(), 1);
	set_cfg(PCI_COMMAND, 0, 2);
	assert_int_equal(fake_sys_slots(), 0);
	place_bars(ON);
	fake_sys.region[1].byte[5] = 0x5a;
	bus_access(&vm.bus, BUS_PIO, 0x2005, &byte, 1, false);
	assert_int_equal(byte, 0x5a);
	byte = 0xa5;
	bus_access(&vm.bus, BUS_PIO, 0x2007, &byte, 1, true);
	assert_int_equal(fake_sys.region[1].byte[7], 0xa5);
	/* The pages of the table are trapped, what else is in them goes to the device. */
	guest_write(&vm.bus, BAR0 + 0x2800, 0x12345678, 4);
	assert_int_equal(pvi_get32(fake_sys.region[0].byte + 0x2800), 0x12345678);
	guest_write(&vm.bus, TABLE, 0xfee01000, 4);
	assert_int_equal(pvi_get32(fake_sys.region[0].byte + 0x2000), 0);
}

/* Where another was until this very write: KVM takes no two slots in one place. */
static void bars_follow_each_other(void **state)
{
	const uint64_t next = BAR0 + 0x10000;
	uint64_t off;

	assert_int_equal(start(), 0);
	place_bars(ON);
	set_cfg(PCI_BASE_ADDRESS_3, 0, 4);
	set_cfg(PCI_BASE_ADDRESS_2, (uint32_t)next, 4);
	assert_int_equal(fake_sys_slot(next, 2, &off), 0x8000);
	/* Not yet: it is taken. */
	set_cfg(PCI_BASE_ADDRESS_0, (uint32_t)next, 4);
	assert_int_equal(fake_sys_slots(), 1);
	set_cfg(PCI_BASE_ADDRESS_2, (uint32_t)BAR0, 4);
	assert_int_equal(fake_sys_slot(next, 0, &off), 0x2000);
	assert_int_equal(fake_sys_slot(BAR0, 2, &off), 0x8000);
	assert_int_equal(fake_sys_slots(), 2);
}

/* The option ROM is read through traps, where the guest puts it, and only while it asks for it. */
static void rom(void **state)
{
	fake_sys.region[6].size = 0x800;
	fake_sys.region[6].flags = VFIO_REGION_INFO_FLAG_READ;
	pvi_put32(fake_sys.region[6].byte, 0x1234aa55);
	assert_int_equal(start(), 0);
	set_cfg(PCI_ROM_ADDRESS, ~PCI_ROM_ADDRESS_ENABLE, 4);
	assert_int_equal(cfg(PCI_ROM_ADDRESS, 4), 0xfffff800);
	set_cfg(PCI_ROM_ADDRESS, ROM, 4);
	set_cfg(PCI_COMMAND, ON, 2);
	assert_int_equal(guest_read(&vm.bus, ROM, 4), 0xffffffff);
	set_cfg(PCI_ROM_ADDRESS, ROM | PCI_ROM_ADDRESS_ENABLE, 4);
	assert_int_equal(guest_read(&vm.bus, ROM, 4), 0x1234aa55);
	guest_write(&vm.bus, ROM, 0, 4);
	assert_int_equal(pvi_get32(fake_sys.region[6].byte), 0x1234aa55);
	/* Not on memory, and nowhere after a reset. */
	set_cfg(PCI_ROM_ADDRESS, 0x80000 | PCI_ROM_ADDRESS_ENABLE, 4);
	assert_int_equal(guest_read(&vm.bus, ROM, 4), 0xffffffff);
	assert_int_equal(guest_read(&vm.bus, 0x80000, 4), 0xffffffff);
	set_cfg(PCI_ROM_ADDRESS, ROM | PCI_ROM_ADDRESS_ENABLE, 4);
	pci_quiesce_all(&vm.pci);
	assert_int_equal(guest_read(&vm.bus, ROM, 4), 0xffffffff);
	pci_fn_reset(vm.pci.fn[SLOT]);
	assert_int_equal(cfg(PCI_ROM_ADDRESS, 4), 0);
}

/* Without contents, or of a size that no BAR has, it is none. */
static void no_rom(void **state)
{
	fake_sys.region[6].size = 0x800;
	assert_int_equal(start(), 0);
	set_cfg(PCI_ROM_ADDRESS, UINT32_MAX, 4);
	assert_int_equal(cfg(PCI_ROM_ADDRESS, 4), 0);
	vfio_device_free(dev);
	fake_sys.region[6].flags = VFIO_REGION_INFO_FLAG_READ;
	fake_sys.region[6].size = 0x1800;
	assert_int_equal(start(), 0);
	set_cfg(PCI_ROM_ADDRESS, UINT32_MAX, 4);
	assert_int_equal(cfg(PCI_ROM_ADDRESS, 4), 0);
}

static void bus_mastery(void **state)
{
	assert_int_equal(start(), 0);
	place_bars(ON | PCI_COMMAND_MASTER);
	assert_int_equal(fake_sys_command(), ON | PCI_COMMAND_MASTER);
	set_cfg(PCI_COMMAND, ON, 2);
	assert_int_equal(fake_sys_command(), ON);
	set_cfg(PCI_COMMAND, PCI_COMMAND_MASTER, 2);
	assert_int_equal(fake_sys_command(), ON | PCI_COMMAND_MASTER);
	/* No other bit of the guest's gets there. */
	set_cfg(PCI_COMMAND, 0xffff, 2);
	assert_int_equal(fake_sys_command(), ON | PCI_COMMAND_MASTER);
}

static void unmask_vector(unsigned int i, uint32_t data)
{
	guest_write(&vm.bus, TABLE + 16 * i, 0xfee01000, 8);
	guest_write(&vm.bus, TABLE + 16 * i + 8, data, 4);
	guest_write(&vm.bus, TABLE + 16 * i + 12, 0, 4);
}

static void msix(void **state)
{
	assert_int_equal(start(), 0);
	place_bars(ON | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(fake_sys.irq_index, -1);
	/* As Linux does: enabled and masked, then the entries, then unmasked. */
	set_cfg(0x72, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_MSIX_IRQ_INDEX);
	assert_int_equal(fake_sys.irq_count, 64);
	unmask_vector(1, 0x51);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	set_cfg(0x72, PCI_MSIX_FLAGS_ENABLE, 2);
	assert_int_equal(fake_irq.nr_irqfds, 1);
	assert_int_equal(fake_irq_tied(&vm.irq, fake_sys.irq_fd[1])->data, 0x51);
	/* Masked, it waits in the PBA. */
	guest_write(&vm.bus, TABLE + 16 + 12, 1, 4);
	eventfd_write(fake_sys.irq_fd[1], 1);
	assert_int_equal(guest_read(&vm.bus, BAR0 + 0x3000, 8), 2);
	set_cfg(0x72, 0, 2);
	assert_int_equal(fake_sys.irq_index, -1);
	set_cfg(PCI_COMMAND, ON, 2);
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_INTX_IRQ_INDEX);
}

static void msi(void **state)
{
	assert_int_equal(start(), 0);
	set_cfg(PCI_COMMAND, ON | PCI_COMMAND_INTX_DISABLE, 2);
	set_cfg(0x54, 0xfee02000, 4);
	set_cfg(0x5c, 0x40, 2);
	set_cfg(0x52, PCI_MSI_FLAGS_ENABLE | 1 << 4, 2);
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_MSI_IRQ_INDEX);
	assert_int_equal(fake_sys.irq_count, 2);
	assert_int_equal(fake_irq_tied(&vm.irq, fake_sys.irq_fd[0])->data, 0x40);
	assert_int_equal(fake_irq_tied(&vm.irq, fake_sys.irq_fd[1])->data, 0x41);
	/* A new message while it is on; then one that is none. */
	set_cfg(0x5c, 0x60, 2);
	assert_int_equal(fake_irq_tied(&vm.irq, fake_sys.irq_fd[1])->data, 0x61);
	set_cfg(0x54, 0x1000, 4);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	set_cfg(0x54, 0xfee02000, 4);
	assert_int_equal(fake_irq.nr_irqfds, 2);
	/* Then MSI-X, without turning MSI off: the stronger one wins, with its own messages. */
	place_bars(ON | PCI_COMMAND_INTX_DISABLE);
	unmask_vector(0, 0x70);
	set_cfg(0x72, PCI_MSIX_FLAGS_ENABLE, 2);
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_MSIX_IRQ_INDEX);
	assert_int_equal(fake_irq_tied(&vm.irq, fake_sys.irq_fd[0])->data, 0x70);
	assert_null(fake_irq_tied(&vm.irq, fake_sys.irq_fd[1]));
	set_cfg(0x52, 0, 2);
	set_cfg(0x72, 0, 2);
	assert_int_equal(fake_irq.nr_irqfds, 0);
}

static void quiesced(void **state)
{
	uint64_t off;

	assert_int_equal(start(), 0);
	place_bars(ON | PCI_COMMAND_MASTER);
	fake_sys.region[0].byte[0x2800] = 0x77;
	pci_quiesce_all(&vm.pci);
	/* Its mastery went first, then it was reset. */
	assert_int_equal(fake_sys_command(), ON);
	assert_int_equal(fake_sys.resets, 2);
	assert_false(fake_sys.master_at_reset);
	assert_int_equal(fake_sys.irq_index, -1);
	assert_int_equal(fake_sys_slots(), 0);
	/* What a vCPU still does goes nowhere. */
	assert_int_equal(guest_read(&vm.bus, BAR0 + 0x2800, 1), 0xff);
	guest_write(&vm.bus, BAR0 + 0x2800, 1, 1);
	assert_int_equal(fake_sys.region[0].byte[0x2800], 0x77);
	set_cfg(PCI_COMMAND, 0, 2);
	place_bars(ON | PCI_COMMAND_MASTER);
	assert_int_equal(fake_sys_command(), ON);
	assert_int_equal(fake_sys_slot(BAR0, 0, &off), 0);
	set_cfg(0x72, PCI_MSIX_FLAGS_ENABLE, 2);
	assert_int_equal(fake_sys.irq_index, -1);
	pci_quiesce_all(&vm.pci);
	assert_int_equal(fake_sys.resets, 2);
	/* After a system reset it is as at the start. */
	pci_fn_reset(vm.pci.fn[SLOT]);
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_INTX_IRQ_INDEX);
	place_bars(ON | PCI_COMMAND_MASTER);
	assert_int_equal(fake_sys_command(), ON | PCI_COMMAND_MASTER);
	assert_int_equal(fake_sys_slot(BAR0, 0, &off), 0x2000);
}

static void failed(void **state)
{
	assert_int_equal(start(), 0);
	place_bars(ON | PCI_COMMAND_MASTER);
	vfio_device_stuck(dev);
	assert_int_equal(fake_sys_command(), ON);
	set_cfg(PCI_COMMAND, ON, 2);
	set_cfg(PCI_COMMAND, ON | PCI_COMMAND_MASTER, 2);
	assert_int_equal(fake_sys_command(), ON);
}

/* --- a hostile guest with two CPUs, and the end of the VM in the middle of it --- */

#define ROUNDS 400u

static void *moves_and_switches(void *arg)
{
	static const uint32_t places[] = {BAR0, 0x80000, BAR0 + 0x8000, 0, GPA_ECAM_BASE};

	for (unsigned int i = 0; i < ROUNDS; i++) {
		set_cfg(PCI_BASE_ADDRESS_0, places[i % 5], 4);
		set_cfg(PCI_COMMAND, (uint16_t)(i * 0x10001u >> i % 8), 2);
		set_cfg(PCI_ROM_ADDRESS, ROM | (i & 1), 4);
		set_cfg(0x54, i % 3 ? 0xfee02000 : i, 4);
		set_cfg(0x52, i % 4 ? PCI_MSI_FLAGS_ENABLE | (i % 8) << 4 : 0, 2);
		place_bars(ON | PCI_COMMAND_MASTER);
	}
	return NULL;
}

static void *messages_and_registers(void *arg)
{
	uint8_t byte;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unmask_vector(i % 64, i);
		set_cfg(0x72, i % 3 ? PCI_MSIX_FLAGS_ENABLE : PCI_MSIX_FLAGS_MASKALL, 2);
		guest_write(&vm.bus, TABLE + 16 * (i % 64), i, 4);
		guest_read(&vm.bus, BAR0 + 0x3000, 8);
		guest_write(&vm.bus, BAR0 + 0x2800, i, 4);
		bus_access(&vm.bus, BUS_PIO, 0x2005, &byte, 1, i & 1);
	}
	return NULL;
}

static void two_cpus(void **state)
{
	static char ignored[65536];
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	pthread_t cpu[2];
	struct said s;

	assert_int_equal(start(), 0);
	said_begin(&s);
	assert_int_equal(pthread_create(&cpu[0], NULL, moves_and_switches, NULL), 0);
	assert_int_equal(pthread_create(&cpu[1], NULL, messages_and_registers, NULL), 0);
	while (fake_sys.calls < 500)
		sched_yield();
	vfio_device_stats(dev, out);
	vfio_device_stuck(dev);
	vfio_device_stats(dev, out);
	pci_quiesce_all(&vm.pci);
	pthread_join(cpu[0], NULL);
	pthread_join(cpu[1], NULL);
	said_end(&s, ignored, sizeof(ignored));
	/* Whatever they did since: no DMA, no interrupt, no register in reach. */
	assert_int_equal(fake_sys_command(), ON);
	assert_int_equal(fake_sys.irq_index, -1);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	assert_int_equal(fake_sys_slots(), 0);
	assert_false(fake_sys.master_at_reset);
	fclose(out);
	free(text);
}

static void resets(void **state)
{
	/* Its own is the best; that of its bus when nobody else is there. */
	fake_sys.device_flags = VFIO_DEVICE_FLAGS_PCI;
	fake_sys.nr_bus = 2;
	fake_sys.bus_groups[0] = fake_sys.bus_groups[1] = FAKE_GROUP;
	assert_int_equal(start(), 0);
	assert_int_equal(fake_sys.bus_resets, 1);
	vfio_device_free(dev);
	assert_int_equal(fake_sys.bus_resets, 2);
	/* A function beside it has no driver: nothing but that keeps it from being reset. */
	fake_sys.bus_error = -EINVAL;
	assert_int_equal(start(), -EINVAL);
	assert_non_null(strstr(said, "take the rest of IOMMU group 5, too: pviommu assign"));
	fake_sys.bus_error = -EIO;
	assert_int_equal(start(), -EIO);
	assert_non_null(strstr(said, "its reset failed: "));
	fake_sys.bus_error = 0;
	fake_sys.bus_resets = 2;
	fake_sys.bus_groups[1] = 8;
	assert_int_equal(start(), 0);
	assert_non_null(strstr(said, "has no reset"));
	assert_int_equal(fake_sys.bus_resets, 2);
	assert_int_equal(fake_sys.resets, 0);
}

/* One that the kernel makes without FLR may be none: the last to be taken. */
static void resets_without_flr(void **state)
{
	pvi_put32(fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte + 0x84, PCI_EXP_DEVCAP_RBER);
	fake_sys.nr_bus = 2;
	fake_sys.bus_groups[0] = fake_sys.bus_groups[1] = FAKE_GROUP;
	assert_int_equal(start(), 0);
	assert_int_equal(fake_sys.bus_resets, 1);
	assert_int_equal(fake_sys.resets, 0);
	vfio_device_free(dev);
	fake_sys.bus_groups[1] = 8;
	assert_int_equal(start(), 0);
	assert_int_equal(fake_sys.bus_resets, 2);
	assert_int_equal(fake_sys.resets, 1);
	vfio_device_free(dev);
	assert_int_equal(fake_sys.resets, 2);
	/* Nor is the bus's sure. */
	fake_sys.bus_groups[1] = FAKE_GROUP;
	fake_sys.bus_error = -ENOTTY;
	assert_int_equal(start(), 0);
	assert_int_equal(fake_sys.bus_resets, 3);
	assert_int_equal(fake_sys.resets, 3);
	vfio_device_free(dev);
	assert_int_equal(fake_sys.bus_resets, 3);
	assert_int_equal(fake_sys.resets, 4);
	fake_sys.bus_error = 0;
	/* As conventional PCI has it. */
	fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte[0xd0] = PCI_CAP_ID_AF;
	fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte[0xd3] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
	assert_int_equal(start(), 0);
	assert_int_equal(fake_sys.bus_resets, 3);
	assert_int_equal(fake_sys.resets, 5);
}

static void shared_line(void **state)
{
	fake_sys.intx_error = -EBUSY;
	assert_int_equal(start(), 0);
	assert_non_null(strstr(said, "the host shares it"));
	assert_int_equal(cfg(PCI_INTERRUPT_PIN, 1), 0);
	vfio_device_free(dev);
	fake_sys.nr_irqs[1] = fake_sys.nr_irqs[2] = 0;
	assert_int_equal(start(), -EINVAL);
	assert_non_null(strstr(said, "shares its interrupt line"));
}

static void refused(void **state)
{
	tree_bind(TREE_A, "e1000e");
	assert_int_equal(start(), -EINVAL);
	assert_non_null(strstr(said, "--assign 00:02.0: is bound to e1000e"));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	tree_remove("/sys/bus/pci/devices/" TREE_A);
	assert_int_equal(start(), -EINVAL);
	assert_non_null(strstr(said, "no such PCI device"));
}

/* Whichever call fails: one line, and nothing stays open. tear_down() looks at the rest. */
static void ladder(void **state)
{
	int step;

	fake_sys.error = EIO;
	for (step = 0; step < 100; step++) {
		fake_sys.fail_in = step;
		if (!start())
			break;
		assert_null(dev);
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
		assert_int_equal(fake_sys.files, 0);
		assert_int_equal(fake_sys.maps, 0);
		assert_int_equal(fake_irq.nr_irqfds, 0);
		assert_int_equal(vm.irq.nr_gsi, 0);
		assert_null(vm.groups);
	}
	assert_in_range(step, 20, 60);
	fake_sys.fail_in = -1;
}

static int64_t exit_count(struct json_object *exits, const char *kind)
{
	struct json_object *v;

	assert_true(json_object_object_get_ex(exits, kind, &v));
	return json_object_get_int64(v);
}

static void stats(void **state)
{
	struct json_object *o, *v, *exits;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct said s;
	uint8_t byte;

	assert_int_equal(start(), 0);
	place_bars(ON);
	guest_read(&vm.bus, TABLE, 4);
	guest_read(&vm.bus, BAR0 + 0x3000, 8);
	guest_read(&vm.bus, BAR0 + 0x2800, 4);
	bus_access(&vm.bus, BUS_PIO, 0x2005, &byte, 1, false);
	said_begin(&s);
	vfio_device_summary(dev);
	log_level = LOG_INFO;
	vfio_device_summary(dev);
	log_level = LOG_WARN;
	said_end(&s, said, sizeof(said));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	assert_non_null(strstr(said, "2 MSI-X table, 1 memory, 1 port; its group 5: 1024 KiB"));
	vfio_device_stats(dev, out);
	fclose(out);
	o = json_tokener_parse(text);
	assert_non_null(o);
	assert_true(json_object_object_get_ex(o, "host_bdf", &v));
	assert_string_equal(json_object_get_string(v), TREE_A);
	assert_true(json_object_object_get_ex(o, "pinned_bytes", &v));
	assert_int_equal(json_object_get_int64(v), 1 << 20);
	assert_true(json_object_object_get_ex(o, "interrupts", &v));
	assert_string_equal(json_object_get_string(v), "intx");
	/* What the guest left for: config space to place the BARs, then one of each kind. */
	assert_true(json_object_object_get_ex(o, "exits", &exits));
	assert_int_equal(exit_count(exits, "config"), 5);
	assert_int_equal(exit_count(exits, "msix_table"), 2);
	assert_int_equal(exit_count(exits, "mmio"), 1);
	assert_int_equal(exit_count(exits, "pio"), 1);
	json_object_put(o);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(at_the_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bars_of_the_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bars_follow_each_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rom, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_rom, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bus_mastery, set_up, tear_down),
		cmocka_unit_test_setup_teardown(msix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(msi, set_up, tear_down),
		cmocka_unit_test_setup_teardown(quiesced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_cpus, set_up, tear_down),
		cmocka_unit_test_setup_teardown(resets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(resets_without_flr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shared_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ladder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stats, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
