/*
 * TLS: the files that the keys name are read here, as root, and become texts
 * that rpcd is handed, for it has no files; whether they are good is certs.c's
 * to say.
 *
 * What nobody could use is an error.  What only those who verify would refuse
 * is an error where this node was told to verify, for then it would be alone,
 * and a warning otherwise.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ssl.h>

#include "common/util.h"
#include "discod/certs.h"
#include "discod/config_parts.h"

#define PEM_MAX	(1u << 20)	/* a file */
#define CA_MAX	(8u << 20)	/* all of a directory */

/* ---- files ---- */

/* The text of a file, or NULL and a problem. */
static char *
read_pem(const char *path, const char *where, const char *key,
    struct problems *p)
{
	size_t	 len;
	char	*text = file_read(path, PEM_MAX, &len);

	if (text == NULL)
		problem(p, where, "%s %s: %s", key, path, errno == EFBIG ?
		    "too large for certificates" : strerror(errno));
	else if (memchr(text, '\0', len) != NULL) {
		problem(p, where, "%s %s: not PEM: it is not text", key,
		    path);
		explicit_bzero(text, len);
		free(text);
		text = NULL;
	}
	return text;
}

static int
visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Every file of the directory. */
static char *
read_dir(const char *dir, const char *where, struct problems *p)
{
	struct dirent	**list = NULL;
	struct wbuf	  all;
	char		 *path, *text;
	int		  i, n = scandir(dir, &list, visible, alphasort);

	if (n == -1) {
		problem(p, where, "ca_path %s: %s", dir, strerror(errno));
		return NULL;
	}
	wb_init(&all, CA_MAX);
	for (i = 0; i < n; i++) {
		xasprintf(&path, "%s/%s", dir, list[i]->d_name);
		if ((text = read_pem(path, where, "ca_path", p)) != NULL)
			wb_printf(&all, "%s\n", text);
		free(text);
		free(path);
		free(list[i]);
	}
	free(list);
	if (n == 0)
		problem(p, where, "ca_path %s: there is no file in it", dir);
	if (all.err)
		problem(p, where, "ca_path %s: too large for certificates",
		    dir);
	return wb_detach_str(&all);
}

static char *
key_file(const struct values *v, enum key key, const struct config_env *env,
    struct problems *p)
{
	char	*path = path_absolute(env->cwd, v_str(v, key)), *text;

	if (path == NULL)
		return NULL;
	text = read_pem(path, v_where(v, key), config_keys[key].path, p);
	free(path);
	return text;
}

/* ---- what the keys ask of each other ---- */

static void
check_keys(const struct values *v, const struct conf_tls *t,
    struct problems *p)
{
	static const enum key in[] = { KEY_VERIFY_IN, KEY_VERIFY_IN_RPC,
	    KEY_VERIFY_IN_HTTPS };
	static const enum key out[] = { KEY_VERIFY_OUT, KEY_VERIFY_NAME };
	size_t	i;

	if (v_str(v, KEY_CERT_FILE) != NULL && v_str(v, KEY_KEY_FILE) == NULL)
		problem(p, v_where(v, KEY_CERT_FILE), "cert_file: and no "
		    "key_file with its key");
	if (v_str(v, KEY_KEY_FILE) != NULL && v_str(v, KEY_CERT_FILE) == NULL)
		problem(p, v_where(v, KEY_KEY_FILE), "key_file: and no "
		    "cert_file with its certificate");
	for (i = 0; i < NELEM(in); i++) {
		if (!v_bool(v, in[i]))
			continue;
		if (t->ca == NULL)
			problem(p, v_where(v, in[i]), "%s: VerifyIncoming set, "
			    "and no CA certificate provided: give ca_file or "
			    "ca_path", config_keys[in[i]].path);
		if (t->cert == NULL)
			problem(p, v_where(v, in[i]), "%s: VerifyIncoming set, "
			    "and no Cert/Key pair provided: give cert_file "
			    "and key_file", config_keys[in[i]].path);
	}
	for (i = 0; i < NELEM(out); i++)
		if (v_bool(v, out[i]) && t->ca == NULL)
			problem(p, v_where(v, out[i]), "%s: VerifyOutgoing "
			    "set, and no CA certificate provided: give ca_file "
			    "or ca_path", config_keys[out[i]].path);
}

static void
check_suites(const struct values *v, struct problems *p)
{
	const char	*s = v_str(v, KEY_TLS_SUITES), *name;
	char		 one[128];
	size_t		 n;

	for (; s != NULL && *s != '\0'; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		(void)snprintf(one, sizeof(one), "%.*s", (int)n, s);
		name = OPENSSL_cipher_name(one);
		if (name == NULL || strcmp(name, "(NONE)") == 0)
			problem(p, v_where(v, KEY_TLS_SUITES),
			    "tls_cipher_suites: %s is not known: give names "
			    "as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, with "
			    "commas between", one);
	}
}

/* ---- for certs.c ---- */

struct sources_text { char *ca, *cert, *key, *name; };

/* As certs.c wants it; the texts stay where they are. */
static void
certs_of(struct certs *c, struct sources_text *s, const struct values *v,
    const struct conf_tls *t, const struct conf_agent *a)
{
	size_t	n = strlen(str_or(a->domain, ""));

	if (n > 0 && a->domain[n - 1] == '.')
		n--;
	xasprintf(&s->ca, "%s %s", v_str(v, KEY_CA_FILE) != NULL ? "ca_file" :
	    "ca_path", str_or(v_str(v, KEY_CA_FILE), str_or(v_str(v,
	    KEY_CA_PATH), "")));
	xasprintf(&s->cert, "cert_file %s", str_or(v_str(v, KEY_CERT_FILE),
	    ""));
	xasprintf(&s->key, "key_file %s", str_or(v_str(v, KEY_KEY_FILE), ""));
	xasprintf(&s->name, "server.%s.%.*s", str_or(a->datacenter, ""),
	    (int)n, str_or(a->domain, ""));
	memset(c, 0, sizeof(*c));
	c->ca = t->ca;
	c->cert = t->cert;
	c->key = t->key;
	c->ca_from = s->ca;
	c->cert_from = s->cert;
	c->key_from = s->key;
	c->name = a->server ? s->name : NULL;
	c->now_s = (int64_t)time(NULL);
}

static void
sources_text_clear(struct sources_text *s)
{
	free(s->ca);
	free(s->cert);
	free(s->key);
	free(s->name);
}

static void
check_certs(const struct values *v, const struct config *c,
    struct strs *warnings, struct problems *p)
{
	const struct conf_tls	*t = &c->rpc.tls;
	struct sources_text	 s;
	struct strs		 hard = { 0 }, soft = { 0 };
	struct certs		 certs;
	size_t			 i;
	bool			 verifies = t->verify_incoming ||
				    t->verify_outgoing || t->verify_name;

	certs_of(&certs, &s, v, t, &c->agent);
	certs_check(&certs, &hard, &soft);
	for (i = 0; i < hard.n; i++)
		problem(p, NULL, "%s", hard.item[i]);
	for (i = 0; i < soft.n; i++)
		if (verifies)
			problem(p, NULL, "%s", soft.item[i]);
		else
			warning(warnings, NULL, "%s", soft.item[i]);
	strs_clear(&hard);
	strs_clear(&soft);
	sources_text_clear(&s);
}

void
config_expiring(const struct config *c, bool past, struct strs *lines)
{
	struct sources_text	s;
	struct certs		certs;

	certs_of(&certs, &s, c->values, &c->rpc.tls, &c->agent);
	certs_expiring(&certs, past, lines);
	sources_text_clear(&s);
}

static void
texts_copy(struct conf_tls *to, const struct conf_tls *from)
{
	str_set(&to->ca, from->ca);
	str_set(&to->cert, from->cert);
	str_set(&to->key, from->key);
}

void
tls_build(const struct values *v, const struct config_env *env,
    struct config *c, struct problems *p)
{
	struct conf_tls	*t = &c->rpc.tls;
	size_t		 before = p->line.n;
	char		*dir;

	t->verify_incoming = v_bool(v, KEY_VERIFY_IN) ||
	    v_bool(v, KEY_VERIFY_IN_RPC);
	t->verify_outgoing = v_bool(v, KEY_VERIFY_OUT);
	t->verify_name = v_bool(v, KEY_VERIFY_NAME);
	t->min_version = xstrdup(v_str(v, KEY_TLS_MIN));
	t->ciphers = xstrdup(v_str(v, KEY_TLS_SUITES));
	t->prefer_server = v_bool(v, KEY_TLS_PREFER);
	t->ca = key_file(v, KEY_CA_FILE, env, p);
	if (v_str(v, KEY_CA_FILE) == NULL &&
	    (dir = path_absolute(env->cwd, v_str(v, KEY_CA_PATH))) != NULL) {
		t->ca = read_dir(dir, v_where(v, KEY_CA_PATH), p);
		free(dir);
	}
	t->cert = key_file(v, KEY_CERT_FILE, env, p);
	t->key = key_file(v, KEY_KEY_FILE, env, p);
	check_suites(v, p);
	if (p->line.n > before)
		return;
	check_keys(v, t, p);
	if (p->line.n == before)
		check_certs(v, c, &c->warnings, p);
	c->agent.use_tls = c->agent.server && t->cert != NULL;
	if (v_bool(v, KEY_TLS_FOR_CHECKS))
		texts_copy(&c->checkd.tls, t);
	if (v_num(v, KEY_PORT_HTTPS) <= 0)
		return;
	texts_copy(&c->http.tls, t);
	str_set(&c->http.tls.min_version, t->min_version);
	c->http.tls.verify_incoming = v_bool(v, KEY_VERIFY_IN) ||
	    v_bool(v, KEY_VERIFY_IN_HTTPS);
}
