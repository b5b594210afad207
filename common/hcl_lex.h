/*
 * Between hcl.c, which knows the grammar, and hcl_lex.c, which has the tokens.
 */
#ifndef COMMON_HCL_LEX_H
#define COMMON_HCL_LEX_H

#include <stddef.h>

enum tok {
	TOK_END, TOK_IDENT, TOK_STRING, TOK_HEREDOC, TOK_NUMBER, TOK_ASSIGN,
	TOK_LBRACE, TOK_RBRACE, TOK_LBRACK, TOK_RBRACK, TOK_COMMA, TOK_BAD
};

struct hcl {
	const char	*text;
	size_t		 len, at;
	unsigned	 line, col;	/* of at */
	/* the token that was read last */
	enum tok	 tok;
	char		*str;		/* identifier, string, number */
	size_t		 slen;
	unsigned	 tline, tcol;
	char		 err[160];	/* the first error; "" if none */
};

/* Reads the next token, which takes the place of the one before. */
void hcl_next(struct hcl *);
void hcl_fail(struct hcl *, unsigned line, unsigned col, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* This token is not what was wanted. */
void hcl_unexpected(struct hcl *, const char *wanted);

#endif
