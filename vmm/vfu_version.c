// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>

#include "core/vfio_user.h"
#include "vmm/vfu_version.h"

/* The protocol's values for what a peer does not mention. */
#define DEFAULT_MAX_FDS 1

/* A version message nests two deep. */
#define MAX_DEPTH 8

int vfu_version_request(void *buf, size_t room)
{
	const struct vfu_version version = {VFU_VERSION_MAJOR, VFU_VERSION_MINOR};
	char *json = (char *)buf + sizeof(version);
	int n;

	if (room <= sizeof(version))
		return -EMSGSIZE;
	memcpy(buf, &version, sizeof(version));
	n = snprintf(json, room - sizeof(version),
		     "{\"capabilities\":{\"max_msg_fds\":%d,\"max_data_xfer_size\":%u,"
		     "\"pgsizes\":%u}}",
		     VFU_MAX_FDS, VFU_MAX_DATA, 1u << PVI_PAGE_SHIFT);
	if (n < 0 || (size_t)n >= room - sizeof(version))
		return -EMSGSIZE;
	return (int)sizeof(version) + n + 1;
}

/* A number within bounds at @key of @caps, where there is one. */
static bool get_u32(struct json_object *caps, const char *key, int64_t least, int64_t most,
		    uint32_t *value)
{
	struct json_object *o;
	int64_t n;

	if (!json_object_object_get_ex(caps, key, &o))
		return true;
	if (!json_object_is_type(o, json_type_int))
		return false;
	n = json_object_get_int64(o);
	if (n < least)
		return false;
	*value = (uint32_t)(n > most ? most : n);
	return true;
}

static const char *parse(struct json_object *root, struct vfu_limits *limits)
{
	struct json_object *caps;

	if (!root || !json_object_is_type(root, json_type_object))
		return "its VERSION carries no JSON object";
	if (!json_object_object_get_ex(root, "capabilities", &caps))
		return NULL;
	if (!json_object_is_type(caps, json_type_object))
		return "its VERSION has capabilities that are no JSON object";
	if (!get_u32(caps, "max_msg_fds", 0, VFU_MAX_FDS, &limits->max_fds))
		return "its VERSION has a bad max_msg_fds";
	if (!get_u32(caps, "max_data_xfer_size", 8, VFU_MAX_DATA, &limits->max_data))
		return "its VERSION has a bad max_data_xfer_size";
	return NULL;
}

/* @json: @len bytes and a NUL. */
static const char *parse_text(const char *json, size_t len, struct vfu_limits *limits)
{
	struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
	struct json_object *root;
	const char *why;

	if (!tok)
		return "there is no memory to read its VERSION";
	root = json_tokener_parse_ex(tok, json, (int)len + 1);
	why = json_tokener_get_error(tok) == json_tokener_success
		      ? parse(root, limits)
		      : "its VERSION carries broken JSON";
	json_object_put(root);
	json_tokener_free(tok);
	return why;
}

int vfu_version_reply(const void *buf, size_t len, struct vfu_limits *ret_limits,
		      const char **ret_why)
{
	struct vfu_limits limits = {.max_fds = DEFAULT_MAX_FDS, .max_data = VFU_MAX_DATA};
	const char *json = (const char *)buf + sizeof(struct vfu_version);
	struct vfu_version version;
	const char *why = NULL;

	if (len < sizeof(version)) {
		*ret_why = "its VERSION is too short";
		return -EPROTO;
	}
	memcpy(&version, buf, sizeof(version));
	len -= sizeof(version);
	if (version.major != VFU_VERSION_MAJOR)
		why = "it speaks another major version of vfio-user than 0";
	else if (len && (json[len - 1] || memchr(json, 0, len - 1)))
		why = "its VERSION carries text that is not one NUL-terminated string";
	else if (len > 1)
		why = parse_text(json, len - 1, &limits);
	if (why) {
		*ret_why = why;
		return -EPROTO;
	}
	*ret_limits = limits;
	return 0;
}
