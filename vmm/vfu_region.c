// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/vfu_region.h"

struct access {
	struct vfu_region_access head;
	uint8_t data[VFU_REGION_MAX];
};

/* @data: bytes that shall come with the reply. */
static int check_reply(struct vfu_conn *conn, const struct vfu_call *call,
		       const struct vfu_region_access *want, size_t data)
{
	const struct access *got = call->reply;

	if (call->error)
		return -EIO;
	if (call->len == sizeof(got->head) + data && got->head.count == want->count &&
	    got->head.region == want->region && got->head.offset == want->offset)
		return 0;
	vfu_conn_fail(conn, -EPROTO, "answered a %s of %u bytes with something else",
		      vfu_command_name(call->command), want->count);
	return -EPROTO;
}

int vfu_region_read(struct vfu_conn *conn, uint32_t region, uint64_t off, void *buf, uint32_t len)
{
	const struct vfu_region_access req = {.offset = off, .region = region, .count = len};
	struct access reply;
	struct vfu_call call = {
		.command = VFU_REGION_READ,
		.req = &req,
		.req_len = sizeof(req),
		.reply = &reply,
		.room = sizeof(reply),
	};
	int err;

	if (len > VFU_REGION_MAX)
		return -EINVAL;
	err = vfu_call(conn, &call);
	if (!err)
		err = check_reply(conn, &call, &req, len);
	if (!err)
		memcpy(buf, reply.data, len);
	return err;
}

int vfu_region_write(struct vfu_conn *conn, uint32_t region, uint64_t off, const void *buf,
		     uint32_t len)
{
	struct access req = {.head = {.offset = off, .region = region, .count = len}};
	struct access reply;
	struct vfu_call call = {
		.command = VFU_REGION_WRITE,
		.req = &req,
		.req_len = sizeof(req.head) + len,
		.reply = &reply,
		.room = sizeof(reply),
	};
	int err;

	if (len > VFU_REGION_MAX)
		return -EINVAL;
	memcpy(req.data, buf, len);
	err = vfu_call(conn, &call);
	return err ? err : check_reply(conn, &call, &req.head, 0);
}
