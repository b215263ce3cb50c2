/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * fuse_opt: what a list of arguments becomes, what is stored, and what the function of the program is asked.
 * Every expectation also holds for libfuse 3.18.3. Link to the library to be tested; exit status 0 when all is well.
 */
#define FUSE_USE_VERSION 318
#include <fuse_lowlevel.h>
#include <fuse_log.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;
static char logged[4096];

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(int good, const char *text, int line)
{
	if (!good) {
		fprintf(stderr, "opt.c:%d: failed: %s\n", line, text);
		failures++;
	}
}

static void same(const char *got, const char *want, const char *what, int line)
{
	if (strcmp(got, want) != 0) {
		fprintf(stderr, "opt.c:%d: %s: got {%s}, want {%s}\n", line, what, got, want);
		failures++;
	}
}

static void collect(enum fuse_log_level level, const char *fmt, va_list ap)
{
	size_t used = strlen(logged);

	(void) level;
	vsnprintf(logged + used, sizeof(logged) - used, fmt, ap);
}

/* The arguments behind argv[0] in brackets. */
static const char *shown(const struct fuse_args *args)
{
	static char text[1024];
	int i;

	text[0] = '\0';
	for (i = 1; i < args->argc; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%s]", args->argv[i]);
	return text;
}

struct data {
	int a;
	char *s;
	unsigned u;
	double f;
	unsigned char byte;
	unsigned long lu;
	char seen[512];
};

#define PUT(templ, member, value) { templ, offsetof(struct data, member), value }

static const struct fuse_opt opts[] = {
	PUT("-x", a, 5),
	PUT("foo", a, 7),
	PUT("bar=%s", s, 0),
	PUT("u=%u", u, 0),
	PUT("oct=%o", u, 0),
	PUT("--long=%i", a, 0),
	PUT("f=%lf", f, 0),
	PUT("b=%hhu", byte, 0),
	PUT("hex=%lx", lu, 0),
	PUT("val=", u, 12),
	PUT("-p %s", s, 0),
	PUT("dual", a, 9),
	FUSE_OPT_KEY("dual", 55),
	FUSE_OPT_KEY("-q ", 33),
	FUSE_OPT_KEY("--xlong ", 66),
	FUSE_OPT_KEY("key=", 44),
	FUSE_OPT_KEY("keep", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("disc", FUSE_OPT_KEY_DISCARD),
	FUSE_OPT_KEY("lit=val", 77),
	FUSE_OPT_END
};

static int proc(void *data, const char *arg, int key, struct fuse_args *outargs)
{
	struct data *d = data;

	snprintf(d->seen + strlen(d->seen), sizeof(d->seen) - strlen(d->seen), "%s:%d@%d;", arg, key, outargs->argc);
	if (strcmp(arg, "addme") == 0)
		fuse_opt_add_arg(outargs, "-Zadded");
	if (strcmp(arg, "fail") == 0)
		return -1;
	if (strcmp(arg, "minus2") == 0)
		return -2;
	return strcmp(arg, "drop") != 0;
}

#define MAX_ARGS 12

struct row {
	int line;
	const char *in[MAX_ARGS];
	const char *out; /* NULL: the parse fails */
};

#define ROW(out, ...) { __LINE__, { __VA_ARGS__ }, out }

static const struct row rows[] = {
	ROW("", NULL),
	ROW("[-o][unk,un2][-y][file]", "-x", "-y", "file", "-o", "foo,bar=x,unk", "-oun2"),
	ROW("[--][-x][--][b]", "--", "-x", "--", "b"),
	ROW("[a][--][b][c]", "a", "--", "b", "c"),
	ROW("[-o][u\\,nk,q\\\\r\\\\]", "-o", "bar=a\\,b\\103,u\\,nk,q\\\\r\\"),
	ROW("[-o][dual]", "-odual"),
	ROW("[-o][keep]", "-o", "keep,disc"),
	ROW("[-o][]", "-o", ",,foo,,"),
	ROW("[-o][]", "-o", ""),
	ROW("[-o][ ]", "-o "),
	ROW("[-]", "-"),
	ROW("[]", ""),
	ROW("[-o][a,c][--unk][-b]", "--unk", "-o", "a", "-b", "-o", "c"),
	ROW("[-o][minus2]", "-o", "minus2"),
	ROW("[-o][addme][-Zadded]", "-o", "drop,addme"),
	ROW("[-o][bar]", "-o", "bar"),
	ROW("[-o][foobar,xfoo,foo=3]", "-o", "foobar,xfoo,foo=3"),
	ROW("", "-o", "-x,-pval"),
	ROW("[-qv][-qw]", "-q", "v", "-qw"),
	ROW("[--xlongv][--xlongw]", "--xlong", "v", "--xlongw"),
	ROW("[-o][key=2][key=1]", "key=1", "-okey=2"),
	ROW("[-o][lit=val,lit=v]", "-olit=val,lit=v"),
	ROW("", "--"),
	ROW("[x]", "x", "--"),
	ROW("[--][--]", "--", "--"),
	ROW("", "--", "drop"),
	ROW("[-o][a][--]", "-o", "a", "--"),
	ROW("[-o][a400b,1,777,08]", "-o", "a\\400b,\\1,\\777,\\08"),
	ROW("[-o][a]", "-o", "a\\000b"),
	ROW(NULL, "-o"),
	ROW(NULL, "-p"),
	ROW(NULL, "-o", "-p"),
	ROW(NULL, "-q", "v", "-q"),
	ROW(NULL, "-o", "u=junk"),
	ROW(NULL, "--long=zz"),
	ROW(NULL, "-o", "bar=,u="),
	ROW(NULL, "-o", "fail"),
	ROW(NULL, "fail"),
};

static int parse(struct fuse_args *args, struct data *d)
{
	logged[0] = '\0';
	memset(d, 0, sizeof(*d));
	return fuse_opt_parse(args, d, opts, proc);
}

static void test_lists(void)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *argv[MAX_ARGS + 2] = { "prog" };
		struct fuse_args args = FUSE_ARGS_INIT(1, (char **) argv);
		struct data d;
		int j, result;

		for (j = 0; j < MAX_ARGS && rows[i].in[j] != NULL; j++)
			argv[args.argc++] = rows[i].in[j];
		result = parse(&args, &d);
		if (rows[i].out == NULL) {
			check(result == -1, "the parse fails", rows[i].line);
			check(args.argv == (char **) argv && !args.allocated, "the list stays", rows[i].line);
		} else {
			check(result == 0, "the parse succeeds", rows[i].line);
			check(args.allocated && args.argv[args.argc] == NULL, "a list of its own", rows[i].line);
			same(shown(&args), rows[i].out, "list", rows[i].line);
		}
		free(d.s);
		fuse_opt_free_args(&args);
		CHECK(args.argc == 0 && args.argv == NULL && args.allocated == 0);
	}
}

static int parse_one(const char *arg, struct data *d)
{
	char *argv[] = { (char *) "prog", (char *) arg, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	int result = parse(&args, d);

	fuse_opt_free_args(&args);
	return result;
}

static void test_values(void)
{
	struct data d;

	CHECK(parse_one("-ofoo", &d) == 0 && d.a == 7);
	CHECK(parse_one("-odual", &d) == 0 && d.a == 9);
	CHECK(parse_one("-ou=12junk", &d) == 0 && d.u == 12);
	CHECK(parse_one("-ou=-1", &d) == 0 && d.u == -1U);
	CHECK(parse_one("-ou= 7", &d) == 0 && d.u == 7);
	CHECK(parse_one("-ooct=777", &d) == 0 && d.u == 0777);
	CHECK(parse_one("-oval=9", &d) == 0 && d.u == 12);
	CHECK(parse_one("--long=0x1f", &d) == 0 && d.a == 31);
	CHECK(parse_one("-of=1.5x", &d) == 0 && d.f == 1.5);
	CHECK(parse_one("-ob=300", &d) == 0 && d.byte == 44 && d.lu == 0);
	CHECK(parse_one("-ohex=ffffffffff", &d) == 0 && d.lu == 0xffffffffffUL);
	CHECK(parse_one("-p=3", &d) == 0 && strcmp(d.s, "=3") == 0);
	free(d.s);
	/* A second text takes the place of the first, which is freed. */
	CHECK(parse_one("-obar=first,bar=a\\,b\\103\\\\", &d) == 0 && strcmp(d.s, "a,bC\\") == 0);
	free(d.s);
	CHECK(parse_one("-obar=", &d) == 0 && strcmp(d.s, "") == 0);
	free(d.s);
}

static void test_questions(void)
{
	char *argv[] = { (char *) "prog", (char *) "-y", (char *) "-ou\\,nk,dual,key=1", (char *) "-q", (char *) "v",
			 (char *) "f", (char *) "--", (char *) "-x", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(8, argv);
	struct data d;

	CHECK(parse(&args, &d) == 0);
	same(d.seen, "-y:-1@1;u,nk:-1@2;dual:55@2;key=1:44@2;-qv:33@2;f:-2@3;-x:-2@5;", "questions", __LINE__);
	/* The list that came out is a list that can go in. */
	CHECK(parse(&args, &d) == 0);
	same(shown(&args), "[-o][u\\,nk,dual,key=1][-y][-qv][f][--][-x]", "second parse", __LINE__);
	fuse_opt_free_args(&args);
}

static void test_messages(void)
{
	struct data d;

	parse_one("-ou=junk", &d);
	same(logged, "fuse: invalid parameter in option `u=junk'\n", "message", __LINE__);
	parse_one("-o", &d);
	same(logged, "fuse: missing argument after `-o'\n", "message", __LINE__);
	parse_one("-p", &d);
	same(logged, "fuse: missing argument after `-p'\n", "message", __LINE__);
}

/* Each template that matches "-p" takes an argument of its own. */
static void test_two_takers(void)
{
	static const struct fuse_opt two[] = { { "-p %s", 0, 0 }, { "-p %s", sizeof(char *), 0 }, FUSE_OPT_END };
	char *argv[] = { (char *) "prog", (char *) "-p", (char *) "1", (char *) "2", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(4, argv);
	char *texts[2] = { NULL, NULL };

	CHECK(fuse_opt_parse(&args, texts, two, NULL) == 0 && args.argc == 1);
	CHECK(texts[0] && strcmp(texts[0], "1") == 0);
	CHECK(texts[1] && strcmp(texts[1], "2") == 0);
	free(texts[0]);
	free(texts[1]);
	fuse_opt_free_args(&args);
}

static void test_nothing_given(void)
{
	char *argv[] = { (char *) "prog", (char *) "-a", (char *) "b", (char *) "-oc", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(4, argv);
	struct fuse_args none = FUSE_ARGS_INIT(0, NULL);

	CHECK(fuse_opt_parse(NULL, NULL, NULL, NULL) == 0);
	CHECK(fuse_opt_parse(&none, NULL, NULL, NULL) == 0 && none.argc == 0 && none.argv == NULL);
	CHECK(fuse_opt_parse(&args, NULL, NULL, NULL) == 0);
	same(shown(&args), "[-o][c][-a][b]", "without templates", __LINE__);
	fuse_opt_free_args(&args);
	fuse_opt_free_args(&args);
	fuse_opt_free_args(NULL);
}

static void test_args(void)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

	CHECK(fuse_opt_insert_arg(&args, 0, "x") == 0 && args.allocated == 1);
	CHECK(fuse_opt_add_arg(&args, "y") == 0);
	CHECK(fuse_opt_insert_arg(&args, 0, "prog") == 0);
	CHECK(fuse_opt_insert_arg(&args, 3, "z") == 0);
	CHECK(fuse_opt_insert_arg(&args, 2, "between") == 0);
	CHECK(args.argc == 5 && args.argv[5] == NULL && strcmp(args.argv[0], "prog") == 0);
	same(shown(&args), "[x][between][y][z]", "insert", __LINE__);
	fuse_opt_free_args(&args);
}

static void test_option_lists(void)
{
	char *list = NULL;

	CHECK(fuse_opt_add_opt(&list, "a") == 0 && strcmp(list, "a") == 0);
	CHECK(fuse_opt_add_opt_escaped(&list, "b,c\\d") == 0 && strcmp(list, "a,b\\,c\\\\d") == 0);
	CHECK(fuse_opt_add_opt(&list, "e,f") == 0 && strcmp(list, "a,b\\,c\\\\d,e,f") == 0);
	free(list);
	list = strdup("");
	CHECK(fuse_opt_add_opt(&list, "a") == 0 && strcmp(list, "a") == 0);
	CHECK(fuse_opt_add_opt(&list, "") == 0 && strcmp(list, "a,") == 0);
	free(list);
}

static void test_match(void)
{
	static const struct fuse_opt list[] = {
		{ "foo=", 0, 0 }, { "-x ", 0, 0 }, { "bar", 0, 0 }, { "baz=%s", 0, 0 }, { "lit=val", 0, 0 }, FUSE_OPT_END
	};
	static const char *const yes[] = { "foo=", "foo=1", "-x", "-xa", "-x a", "bar", "baz=", "lit=val" };
	static const char *const no[] = { "foo", "fo", "bar=", "baz", "lit=", "lit=%", "-obar", "" };
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		check(fuse_opt_match(list, yes[i]) == 1, yes[i], __LINE__);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		check(fuse_opt_match(list, no[i]) == 0, no[i], __LINE__);
	CHECK(fuse_opt_match(NULL, "a") == 0);
}

int main(void)
{
	fuse_set_log_func(collect);
	test_lists();
	test_values();
	test_questions();
	test_messages();
	test_two_takers();
	test_nothing_given();
	test_args();
	test_option_lists();
	test_match();
	if (failures != 0)
		fprintf(stderr, "opt.c: %d failed\n", failures);
	return failures != 0;
}
