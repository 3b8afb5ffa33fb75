// SPDX-License-Identifier: BSD-2-Clause
#include "devices/blk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct sandbox_call disk_calls[] = {
	{.nr = SYS_pread64},
	{.nr = SYS_pwrite64},
	{.nr = SYS_fdatasync},
	{.nr = SYS_fallocate},
	{.nr = SYS_ioctl, .has_arg1 = true, .arg1 = BLKDISCARD},
	{.nr = SYS_ioctl, .has_arg1 = true, .arg1 = BLKZEROOUT},
};
const size_t disk_nr_calls = sizeof(disk_calls) / sizeof(disk_calls[0]);

static int check_access(int fd, bool read_only)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	switch (flags & O_ACCMODE) {
	case O_RDWR:
		return 0;
	case O_RDONLY:
		return read_only ? 0 : -EBADF;
	default:
		return -EBADF;
	}
}

/* One writer, or any number of readers. File systems without locks go unguarded. */
static int lock(int fd, bool read_only)
{
	struct flock fl = {.l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (!fcntl(fd, F_OFD_SETLK, &fl))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : 0;
}

int disk_init(struct disk *disk, int fd, bool read_only)
{
	uint64_t bytes;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ENOTBLK;
	err = check_access(fd, read_only);
	if (err)
		return err;
	bytes = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &bytes))
		return -errno;
	if (bytes < SECTOR_SIZE)
		return -ENODATA;
	err = lock(fd, read_only);
	if (err)
		return err;
	*disk = (struct disk){
		.fd = fd,
		.sectors = bytes >> SECTOR_SHIFT,
		.block = S_ISBLK(st.st_mode),
		.read_only = read_only,
	};
	disk->id[0] = disk->block ? 0 : st.st_dev;
	disk->id[1] = disk->block ? st.st_rdev : st.st_ino;
	return 0;
}

int disk_read(struct disk *disk, uint64_t off, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(disk->fd, (uint8_t *)buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO; /* the file has been cut short */
		done += (size_t)n;
	}
	return 0;
}

int disk_write(struct disk *disk, uint64_t off, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(disk->fd, (const uint8_t *)buf + done, len - done,
				   (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int disk_flush(struct disk *disk)
{
	return fdatasync(disk->fd) ? -errno : 0;
}

static int punch(struct disk *disk, int mode, uint64_t off, uint64_t len)
{
	int r;

	do {
		r = fallocate(disk->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
	} while (r && errno == EINTR);
	return r ? -errno : 0;
}

static int block_ioctl(struct disk *disk, unsigned long cmd, uint64_t off, uint64_t len)
{
	uint64_t range[2] = {off, len};

	return ioctl(disk->fd, cmd, range) ? -errno : 0;
}

int disk_discard(struct disk *disk, uint64_t off, uint64_t len)
{
	return disk->block ? block_ioctl(disk, BLKDISCARD, off, len)
			   : punch(disk, FALLOC_FL_PUNCH_HOLE, off, len);
}

int disk_zero(struct disk *disk, uint64_t off, uint64_t len, bool may_unmap)
{
	if (disk->block)
		return block_ioctl(disk, BLKZEROOUT, off, len);
	return punch(disk, may_unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE, off, len);
}
