/*
 * Completion in shells, by the way of Consul's command: the shell runs us with
 * the line so far in COMP_LINE, and we print what may stand there, a line each.
 * The command `completion` prints what the shell has to be told.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

/* The next word of each command that goes on as the words so far do. */
static void
next_words(const struct strs *words, const char *start)
{
	struct strs	 seen = { 0 };
	struct wbuf	 prefix;
	const char	*name, *rest;
	char		*word, *text;
	size_t		 i, n;

	wb_init(&prefix, 0);
	for (i = 0; i < words->n; i++)
		wb_printf(&prefix, "%s ", words->item[i]);
	text = wb_detach_str(&prefix);
	n = strlen(text);
	for (i = 0; i < ncommands; i++) {
		name = commands[i].name;
		if (strncmp(name, text, n) != 0)
			continue;
		rest = name + n;
		word = xstrndup(rest, strcspn(rest, " "));
		if (*word != '\0' && !strs_has(&seen, word) &&
		    strncmp(word, start, strlen(start)) == 0) {
			strs_add(&seen, word);
			printf("%s\n", word);
		}
		free(word);
	}
	strs_clear(&seen);
	free(text);
}

/* The command that the words begin with, and the longest such. */
static const struct command *
command_of(const struct strs *words)
{
	const struct command	*found = NULL;
	size_t			 i;
	int			 n, longest = 0;

	for (i = 0; i < ncommands; i++) {
		n = words_match(commands[i].name, (int)words->n, words->item);
		if (n > longest) {
			longest = n;
			found = &commands[i];
		}
	}
	return found;
}

/* The command itself knows its options: options() prints them. */
static void
its_options(const char *prog, const struct command *cmd, const char *start)
{
	struct ctl	 c = { .prog = prog, .cmd = cmd, .complete = start };

	if (strncmp(cmd->synopsis, "[options]", 9) == 0 &&
	    strcmp(cmd->name, "agent") != 0)
		(void)cmd->run(&c, 0, NULL);
}

bool
complete_line(const char *prog)
{
	const char	*env = getenv("COMP_LINE"), *start;
	struct strs	 words = { 0 };
	char		*line, *rest, *word, *last = NULL;
	bool		 open;

	if (env == NULL)
		return false;
	rest = line = xstrdup(env);
	open = *env != '\0' && env[strlen(env) - 1] != ' ';
	(void)strsep(&rest, " ");		/* the program */
	while (rest != NULL && (word = strsep(&rest, " ")) != NULL) {
		if (*word == '\0')
			continue;
		if (rest == NULL && open)
			last = word;
		else
			strs_add(&words, word);
	}
	start = last == NULL ? "" : last;
	if (*start == '-') {
		if (command_of(&words) != NULL)
			its_options(prog, command_of(&words), start);
	} else
		next_words(&words, start);
	strs_clear(&words);
	free(line);
	return true;
}

/* ---- what shells are told ---- */

/* @ stands for our name. */
static const struct { const char *shell, *text; } scripts[] = {
	{ "bash", "complete -C @ @\n" },
	{ "zsh", "autoload -U +X bashcompinit && bashcompinit\n"
	    "complete -o nospace -C @ @\n" },
	{ "fish", "function __complete_@\n"
	    "    set -lx COMP_LINE (commandline -cp)\n"
	    "    test -z (commandline -ct); and set COMP_LINE \"$COMP_LINE \"\n"
	    "    @\n"
	    "end\n"
	    "complete -f -c @ -a \"(__complete_@)\"\n" },
};

int
cmd_completion(struct ctl *c, int argc, char **argv)
{
	const char	*p;
	size_t		 i;
	int		 a, rc;

	if ((a = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	for (i = 0; i < NELEM(scripts); i++)
		if (argc == a + 1 && strcmp(argv[a], scripts[i].shell) == 0)
			break;
	if (i == NELEM(scripts)) {
		fprintf(stderr, "Must specify a shell: bash, zsh or fish\n");
		return 1;
	}
	for (p = scripts[i].text; *p != '\0'; p++)
		if (*p == '@')
			fputs(c->prog, stdout);
		else
			putchar(*p);
	return 0;
}
