/*
 * The list of names: what is not in it does not exist, on a server.  See
 * names.h.
 */
#include <string.h>

#include "dnsd/names_i.h"

bool
name_listed(const struct names *ns, const struct name *e)
{
	/* while a new list comes, the old one still counts */
	return e->list != 0 && (e->list == ns->list ||
	    (ns->coming && e->list + 1 == ns->list));
}

static bool
is_template(const struct name *e)
{
	return e->kind == VIEW_QUERY && e->len > 0 &&
	    e->text[e->len - 1] == '*';
}

/* Is there a template whose prefix the name begins with? */
static bool
has_template(const struct names *ns, const char *name, size_t len)
{
	char		 prefix[DNS_NAME_MAX + 2];
	struct name	*e;
	size_t		 n;

	if (ns->ntemplates == 0)
		return false;
	memcpy(prefix, name, len);
	for (n = len + 1; n-- > 0; ) {
		prefix[n] = '*';
		e = table_get(ns, VIEW_QUERY, prefix, n + 1);
		if (e != NULL && name_listed(ns, e))
			return true;
	}
	return false;
}

/* Addresses and other datacenters are in no list. */
bool
names_deny(const struct names *ns, enum view_kind kind, const struct name *e,
    const char *name, size_t len)
{
	if (!ns->decides || (e != NULL && name_listed(ns, e)) ||
	    memchr(name, ' ', len) != NULL)
		return false;
	if (kind == VIEW_QUERY)
		return !has_template(ns, name, len);
	return kind == VIEW_SERVICE || kind == VIEW_NODE;
}

void
names_begin(struct names *ns, bool decides)
{
	/* one that broke off half way goes on under its number */
	if (!ns->coming)
		ns->list++;
	ns->coming = true;
	ns->will_decide = decides;
	if (!decides)
		ns->decides = false;
}

void
names_set(struct names *ns, enum view_kind kind, const char *name, bool exists)
{
	char		 folded[DNS_NAME_MAX + 1];
	struct name	*e;
	size_t		 n;

	/* with a space it would be another datacenter's */
	if ((n = name_fold(name, folded)) == 0 || strchr(name, ' ') != NULL)
		return;
	e = table_get(ns, kind, folded, n);
	if (!exists) {
		if (e != NULL && e->list != 0) {
			ns->nlisted--;
			ns->ntemplates -= is_template(e);
			e->list = 0;
			if (e->state == NAME_KEPT) {
				name_set_view(ns, e, NULL);
				name_set_state(ns, e, NAME_IDLE);
			}
			name_release(ns, e);
		}
		return;
	}
	if (e == NULL)
		e = table_add(ns, kind, folded, n, name);
	else if (e->state == NAME_NONE)
		name_set_state(ns, e, NAME_IDLE);
	memcpy(e->text + e->len + 1, name, n);
	if (e->list == 0) {
		ns->nlisted++;
		ns->ntemplates += is_template(e);
	}
	e->list = ns->list == 0 ? 1 : ns->list;
}

/* What was in the list before and is not in this one is gone. */
static void
drop_unlisted(struct names *ns)
{
	struct name	*e, *next;
	size_t		 i;

	ns->nlisted = ns->ntemplates = 0;
	for (i = 0; i < ns->nbuckets; i++)
		for (e = ns->bucket[i]; e != NULL; e = next) {
			next = e->next;
			if (e->list == ns->list) {
				ns->nlisted++;
				ns->ntemplates += is_template(e);
			} else {
				e->list = 0;
				name_release(ns, e);
			}
		}
}

void
names_end(struct names *ns)
{
	ns->coming = false;
	ns->decides = ns->will_decide;
	drop_unlisted(ns);
}
