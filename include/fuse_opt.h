/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * Options of the command line: a list of arguments that is handed from one
 * part of a program to the next. Each part takes out what it knows and leaves
 * the rest.
 *
 * All functions work on memory that the caller passes in and keep no state, so
 * they may be called on any thread as long as nobody else touches the same
 * list at the same time.
 */
#ifndef FUSE_OPT_H_
#define FUSE_OPT_H_

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One row of a table of options, which ends with #FUSE_OPT_END.
 *
 * The template says what the row matches:
 *
 * | template   | matches                                                    |
 * | ---------- | ---------------------------------------------------------- |
 * | `-x`       | the argument `-x`; a template `-x...` is never looked for   |
 * |            | inside a list of `-o`                                      |
 * | `--long`   | the argument `--long`                                      |
 * | `foo`      | the word `foo` in a list of `-o`                           |
 * | `-x `      | (with a space) `-xVALUE`, and `-x VALUE` as two arguments  |
 * | `--long=`  | `--long=VALUE`                                             |
 * | `foo=`     | `foo=VALUE` in a list of `-o`                              |
 * | `foo=%u`   | the same; VALUE is converted as sscanf(3) does with `%u`   |
 *
 * What happens on a match depends on the row:
 *
 * - `offset` is a place in the structure given to fuse_opt_parse() and the
 *   template has no `%`: the int at that place becomes `value`.
 * - the same with a conversion: the value is converted into that place. `%s`
 *   stores a `char *` to a copy from malloc(3) and frees what was there
 *   before, so start with NULL and free it in the end.
 * - `offset` is the one that #FUSE_OPT_KEY stores: the processing function is
 *   called with `value` as its key, or the argument is kept or dropped for
 *   #FUSE_OPT_KEY_KEEP and #FUSE_OPT_KEY_DISCARD.
 *
 * When several rows match, all of them act.
 */
struct fuse_opt {
	/** What to match; the string is only read. */
	const char *templ;

	/** Place in the caller's structure: use offsetof(). */
	unsigned long offset;

	/** Value to store, or key of the processing function. */
	int value;
};

/**
 * Initializer of a row that calls the processing function with @p key.
 *
 * The offset that it stores is 0xFFFFFFFF. A row written by hand with -1 holds
 * another number on 64-bit machines and is taken for a real place.
 */
#define FUSE_OPT_KEY(templ, key) { templ, 0xFFFFFFFFU, key }

/** Initializer of the row that ends a table. */
#define FUSE_OPT_END { 0, 0, 0 }

/**
 * A list of arguments in the manner of main().
 *
 * Start with FUSE_ARGS_INIT(argc, argv), which borrows the caller's array. The
 * first function that has to change the list replaces it by a copy and sets
 * `allocated`; call fuse_opt_free_args() when done, which is right in both
 * cases.
 */
struct fuse_args {
	/** Number of arguments, the name of the program included. */
	int argc;

	/** The arguments; once allocated, a NULL follows the last one. */
	char **argv;

	/** Not 0 if `argv` and its strings came from malloc(3). */
	int allocated;
};

/** Initializer of a struct fuse_args that borrows @p argc and @p argv. */
#define FUSE_ARGS_INIT(argc, argv) { argc, argv, 0 }

/** Key for an option that no row matched. */
#define FUSE_OPT_KEY_OPT -1

/** Key for an argument that is not an option, for example a mount point. */
#define FUSE_OPT_KEY_NONOPT -2

/** In a row: leave the option in the list, do not call the function. */
#define FUSE_OPT_KEY_KEEP -3

/** In a row: take the option out of the list, do not call the function. */
#define FUSE_OPT_KEY_DISCARD -4

/**
 * Decides about one argument; called by fuse_opt_parse().
 *
 * @param data    what was given to fuse_opt_parse()
 * @param arg     the argument, or the single option of an `-o` list. With a
 *                template that takes a value in the next argument, both are
 *                joined without a space. Valid during the call only.
 * @param key     the `value` of the row, or #FUSE_OPT_KEY_OPT or
 *                #FUSE_OPT_KEY_NONOPT
 * @param outargs the list that is being built; the function may add to it
 * @return -1 to stop with an error, 0 to drop the argument, 1 to keep it
 */
typedef int (*fuse_opt_proc_t)(void *data, const char *arg, int key,
			       struct fuse_args *outargs);

/**
 * Walk through a list of arguments, act on what is known, keep the rest.
 *
 * Lists of `-o` are taken apart at the commas; a backslash protects the next
 * character, and `\NNN` stands for one byte in octal. What is kept of them is
 * put together into one `-o` argument behind the name of the program. An
 * argument `--` ends the options; what follows is not an option even if it
 * begins with a dash.
 *
 * @param args the list; replaced by what is kept. If it is NULL or its `argv`
 *             is NULL there is nothing to do and 0 is returned.
 * @param data structure that the offsets of the rows refer to; also handed to
 *             @p proc. May be NULL if neither needs it.
 * @param opts table of options; NULL is an empty table
 * @param proc called for what the table leaves open; NULL keeps everything
 * @return 0, or -1 after an error that has been logged (bad value, missing
 *         value, @p proc said so, out of memory). The list is unchanged then.
 */
int fuse_opt_parse(struct fuse_args *args, void *data,
		   const struct fuse_opt opts[], fuse_opt_proc_t proc);

/**
 * Append an option to a comma separated list.
 *
 * @param opts the list: NULL, or a string from malloc(3), which may be moved
 * @param opt  what to append, as it is
 * @return 0, or -1 if memory ran out; the list is unchanged then
 */
int fuse_opt_add_opt(char **opts, const char *opt);

/**
 * As fuse_opt_add_opt(), but with a backslash in front of each comma and
 * backslash of @p opt, so that it comes out of the list again as one option.
 *
 * @param opts the list: NULL, or a string from malloc(3), which may be moved
 * @param opt  what to append
 * @return 0, or -1 if memory ran out; the list is unchanged then
 */
int fuse_opt_add_opt_escaped(char **opts, const char *opt);

/**
 * Append a copy of an argument to a list.
 *
 * @param args the list; either empty (NULL and 0) or one that is allocated. A
 *             borrowed array is a programming error here.
 * @param arg  what to append
 * @return 0, or -1 if memory ran out
 */
int fuse_opt_add_arg(struct fuse_args *args, const char *arg);

/**
 * Put a copy of an argument into a list.
 *
 * Useful to place something behind `argv[0]` and in front of the rest.
 *
 * @param args the list; empty or allocated, as for fuse_opt_add_arg()
 * @param pos  index that the argument will have: 0 to `argc`
 * @param arg  what to insert
 * @return 0, or -1 if memory ran out
 */
int fuse_opt_insert_arg(struct fuse_args *args, int pos, const char *arg);

/**
 * Free the arguments if they are allocated, and empty the list.
 *
 * @param args the list; NULL is allowed. The structure itself is not freed.
 */
void fuse_opt_free_args(struct fuse_args *args);

/**
 * Does an option match a row of a table?
 *
 * @param opts the table
 * @param opt  one option, without `-o`
 * @return 1 if one matches, else 0
 */
int fuse_opt_match(const struct fuse_opt opts[], const char *opt);

#ifdef __cplusplus
}
#endif

#endif /* FUSE_OPT_H_ */
