// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <json-c/json.h>

#include "core/vfio_user.h"
#include "vmm/vfu_version.h"

static uint8_t buf[4096];

/* A payload with @json as it stands, NUL included. */
static int reply(uint16_t major, const char *json, struct vfu_limits *limits)
{
	const struct vfu_version version = {.major = major, .minor = 1};
	const char *why = NULL;
	int err;

	memcpy(buf, &version, sizeof(version));
	strcpy((char *)buf + sizeof(version), json);
	err = vfu_version_reply(buf, sizeof(version) + strlen(json) + 1, limits, &why);
	assert_int_equal(!!err, !!why);
	return err;
}

static void request(void **state)
{
	struct json_object *root, *caps, *v;
	struct vfu_version version;
	int len;

	len = vfu_version_request(buf, sizeof(buf));
	assert_in_range(len, sizeof(version) + 3, sizeof(buf));
	assert_int_equal(buf[len - 1], 0);
	memcpy(&version, buf, sizeof(version));
	assert_int_equal(version.major, 0);
	assert_int_equal(version.minor, 1);
	root = json_tokener_parse((char *)buf + sizeof(version));
	assert_true(json_object_object_get_ex(root, "capabilities", &caps));
	assert_true(json_object_object_get_ex(caps, "max_msg_fds", &v));
	assert_int_equal(json_object_get_int(v), VFU_MAX_FDS);
	assert_true(json_object_object_get_ex(caps, "max_data_xfer_size", &v));
	assert_int_equal(json_object_get_int(v), VFU_MAX_DATA);
	json_object_put(root);
	for (int room = 0; room < len; room++)
		assert_int_equal(vfu_version_request(buf, (size_t)room), -EMSGSIZE);
	assert_int_equal(vfu_version_request(buf, (size_t)len), len);
}

static void good(void **state)
{
	struct vfu_limits limits;

	assert_int_equal(reply(0,
			       "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":4096,"
			       "\"migration\":{\"pgsize\":4096},\"x\":[]}}",
			       &limits),
			 0);
	assert_int_equal(limits.max_fds, 8);
	assert_int_equal(limits.max_data, 4096);
	/* What is not said is as the protocol has it. */
	assert_int_equal(reply(0, "{\"capabilities\":{}}", &limits), 0);
	assert_int_equal(limits.max_fds, 1);
	assert_int_equal(limits.max_data, VFU_MAX_DATA);
	assert_int_equal(reply(0, "{}", &limits), 0);
	assert_int_equal(reply(0, "", &limits), 0);
	/* More than we would use is cut. */
	assert_int_equal(reply(0,
			       "{\"capabilities\":{\"max_msg_fds\":1000000,"
			       "\"max_data_xfer_size\":99999999999}}",
			       &limits),
			 0);
	assert_int_equal(limits.max_fds, VFU_MAX_FDS);
	assert_int_equal(limits.max_data, VFU_MAX_DATA);
}

static void no_text(void **state)
{
	const struct vfu_version version = {.minor = 1};
	struct vfu_limits limits;
	const char *why;

	memcpy(buf, &version, sizeof(version));
	assert_int_equal(vfu_version_reply(buf, sizeof(version), &limits, &why), 0);
	assert_int_equal(limits.max_fds, 1);
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		"{",
		"[]",
		"3",
		"null",
		"}",
		"{\"capabilities\":3}",
		"{\"capabilities\":[]}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
		"{\"capabilities\":{\"max_msg_fds\":8.5}}",
		"{\"capabilities\":{\"max_msg_fds\":null}}",
		"{\"capabilities\":{\"max_data_xfer_size\":7}}",
		"{\"capabilities\":{\"max_data_xfer_size\":true}}",
		"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}",
	};
	struct vfu_limits limits = {77, 78};
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (reply(0, bad[i], &limits) != -EPROTO)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(reply(1, "{}", &limits), -EPROTO);
	for (size_t len = 0; len < sizeof(struct vfu_version); len++)
		assert_int_equal(vfu_version_reply(buf, len, &limits, &why), -EPROTO);
	assert_int_equal(limits.max_fds, 77);
	assert_int_equal(limits.max_data, 78);
}

static void not_one_string(void **state)
{
	const struct vfu_version version = {.minor = 1};
	struct vfu_limits limits;
	const char *why;

	memcpy(buf, &version, sizeof(version));
	memcpy(buf + sizeof(version), "{}{", 4);
	/* No NUL at the end. */
	assert_int_equal(vfu_version_reply(buf, sizeof(version) + 2, &limits, &why), -EPROTO);
	/* One in the middle. */
	memcpy(buf + sizeof(version), "{}\0\0", 4);
	assert_int_equal(vfu_version_reply(buf, sizeof(version) + 4, &limits, &why), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request),	  cmocka_unit_test(good),
		cmocka_unit_test(no_text),	  cmocka_unit_test(nonsense),
		cmocka_unit_test(not_one_string),
	};

	return cmocka_run_group_tests_name("vfu_version", tests, NULL, NULL);
}
