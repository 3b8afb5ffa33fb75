// SPDX-License-Identifier: BSD-2-Clause
/* Operations on the domain table, compared with the oracle. */
#include "fuzz.h"
#include "table_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	table_ops_failures = data[0] & 0x80 ? data[0] & 0x7f : 0;
	table_ops_run(data + 1, size - 1);
	return 0;
}
