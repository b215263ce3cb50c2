/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What can be asked of a session that is not mounted, and fuse_lib_help.
 * Every expectation also holds for libfuse 3.18.3. Link to the library to be tested; exit status 0 when all is well.
 */
#define FUSE_USE_VERSION 318
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failures;

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(int good, const char *text, int line)
{
	if (!good) {
		fprintf(stderr, "session.c:%d: failed: %s\n", line, text);
		failures++;
	}
}

/* Exit is a wish that stays until reset takes it back. */
static void exit_and_reset(void)
{
	static const struct fuse_lowlevel_ops ops;
	char *argv[] = { "session", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *se = fuse_session_new(&args, &ops, sizeof(ops), NULL);

	CHECK(se != NULL);
	if (se == NULL)
		return;
	CHECK(!fuse_session_exited(se));
	fuse_session_exit(se);
	CHECK(fuse_session_exited(se));
	fuse_session_exit(se);
	fuse_session_reset(se);
	CHECK(!fuse_session_exited(se));
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
}

/* What a function writes to the standard output. */
static void output_of(void (*function)(struct fuse_args *), struct fuse_args *args, char *text, size_t size)
{
	FILE *file = tmpfile();
	int before = dup(1);
	size_t n;

	fflush(stdout);
	dup2(fileno(file), 1);
	function(args);
	fflush(stdout);
	dup2(before, 1);
	close(before);
	rewind(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

static void help(void)
{
	char *argv[] = { "session", "-omodules=subdir", NULL }, text[16384];
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);

	output_of(fuse_lib_help, &args, text, sizeof(text));
	CHECK(strstr(text, "kernel_cache") != NULL);
	CHECK(strstr(text, "entry_timeout") != NULL);
	CHECK(strstr(text, "allow_other") != NULL);
	CHECK(strstr(text, "Options for subdir module") != NULL);
	CHECK(strstr(text, "max_threads") == NULL);
	fuse_opt_free_args(&args);
}

int main(void)
{
	exit_and_reset();
	help();
	return failures != 0;
}
