/* SPDX-License-Identifier: BSD-2-Clause */
/* For peers that have no call for several addresses. */
static bool t_vector(void *t, const uint64_t *iova, uint64_t *target)
{
	for (unsigned int k = 0; k < VEC; k++)
		if (t_translate(t, iova[k], PAGE, RIGHT_READ, &target[k]) != PAGE)
			return false;
	return true;
}
