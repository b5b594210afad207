/*
 * The list of names: what is not in it does not exist, on a server.  See
 * names.h.
 */
#include <string.h>

#include "dnsd/names_i.h"

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
	if (e->list == 0)
		ns->nlisted++;
	e->list = ns->list == 0 ? 1 : ns->list;
}

/* What was in the list before and is not in this one is gone. */
static void
drop_unlisted(struct names *ns)
{
	struct name	*e, *next;
	size_t		 i;

	ns->nlisted = 0;
	for (i = 0; i < ns->nbuckets; i++)
		for (e = ns->bucket[i]; e != NULL; e = next) {
			next = e->next;
			if (e->list == ns->list)
				ns->nlisted++;
			else {
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
