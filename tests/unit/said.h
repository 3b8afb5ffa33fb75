/* SPDX-License-Identifier: BSD-2-Clause */
/* What the code under test says on standard error. */
#ifndef SAID_H
#define SAID_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

struct said {
	int pipe_fd[2], saved;
};

static inline void said_begin(struct said *s)
{
	assert_int_equal(pipe2(s->pipe_fd, O_NONBLOCK), 0);
	s->saved = dup(STDERR_FILENO);
	dup2(s->pipe_fd[1], STDERR_FILENO);
}

static inline void said_end(struct said *s, char *ret, size_t size)
{
	ssize_t n;

	dup2(s->saved, STDERR_FILENO);
	n = read(s->pipe_fd[0], ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	close(s->saved);
	close(s->pipe_fd[0]);
	close(s->pipe_fd[1]);
}

#endif
