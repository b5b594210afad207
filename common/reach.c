/*
 * Addresses of other datacenters.  See reach.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/reach.h"
#include "common/util.h"

/* Texts are those of the row; v4, v6: NULL if none is said. */
struct reach {
	const char	*any, *v4, *v6;
	int64_t		 port;
};

static void
reach_node(struct reach *a, const char *address, const struct strmap *tagged)
{
	a->v4 = strmap_get(tagged, "wan_ipv4");
	a->v6 = strmap_get(tagged, "wan_ipv6");
	a->any = strmap_get(tagged, "wan");
	a->port = 0;
	if (a->v4 == NULL)
		a->v4 = strmap_get(tagged, "lan_ipv4");
	if (a->v6 == NULL)
		a->v6 = strmap_get(tagged, "lan_ipv6");
	if (a->any == NULL)
		a->any = str_or(address, "");
}

static const struct service_address *
tagged_of(const struct service_address_map *m, const char *key)
{
	size_t	i;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->item[i].key, key) == 0)
			return &m->item[i].val;
	return NULL;
}

/* By the WAN's tag, if that is there, else by the LAN's. */
static const char *
family(const struct service_address_map *m, const char *wan_key,
    const char *lan_key)
{
	const struct service_address	*s = tagged_of(m, wan_key);

	if (s == NULL)
		s = tagged_of(m, lan_key);
	return s == NULL ? NULL : str_or(s->address, "");
}

static void
reach_service(struct reach *a, const char *address, int64_t port,
    const struct service_address_map *tagged)
{
	const struct service_address	*s = tagged_of(tagged, "wan");

	a->any = str_or(s != NULL ? s->address : address, "");
	a->port = s != NULL && s->port != 0 ? s->port : port;
	a->v4 = family(tagged, "wan_ipv4", "lan_ipv4");
	a->v6 = family(tagged, "wan_ipv6", "lan_ipv6");
}

/* Any will do: Consul takes IPv6 first. */
static void
show(char **address, const struct reach *a)
{
	const char	*best;

	best = !str_empty(a->v6) ? a->v6 : !str_empty(a->v4) ? a->v4 : a->any;
	if (best != *address)
		str_set(address, best);
}

void
reach_show_node(char **address, const struct strmap *tagged)
{
	struct reach	a;

	reach_node(&a, *address, tagged);
	show(address, &a);
}

void
reach_show_service(char **address, int64_t *port,
    const struct service_address_map *tagged)
{
	struct reach	a;

	reach_service(&a, *address, *port, tagged);
	show(address, &a);
	*port = a.port;
}

void
reach_swap_node(struct node *n)
{
	static const char *const	 pair[][2] = {
		{ "lan_ipv4", "wan_ipv4" }, { "lan_ipv6", "wan_ipv6" },
	};
	const char			*wan;
	size_t				 i;

	for (i = 0; i < NELEM(pair); i++)
		if ((wan = strmap_get(&n->tagged_addresses, pair[i][1])) !=
		    NULL)
			strmap_put(&n->tagged_addresses, pair[i][0], wan);
	if ((wan = strmap_get(&n->tagged_addresses, "wan")) != NULL)
		str_set(&n->address, wan);
}

static void
swap_family(struct service_address_map *m, const char *lan_key,
    const char *wan_key)
{
	const struct service_address	*wan = tagged_of(m, wan_key);
	char				*text;
	size_t				 i;

	if (wan == NULL)
		return;
	text = xstrdup(str_or(wan->address, ""));
	for (i = 0; i < m->n; i++)
		if (strcmp(m->item[i].key, lan_key) == 0)
			break;
	if (i == m->n) {
		(void)VEC_ADD(m);
		m->item[i].key = xstrdup(lan_key);
	}
	free(m->item[i].val.address);
	m->item[i].val.address = text;
}

void
reach_swap_service(struct node_service *s)
{
	const struct service_address	*wan;

	wan = tagged_of(&s->tagged_addresses, "wan");
	if (wan != NULL) {
		str_set(&s->address, wan->address);
		if (wan->port != 0)
			s->port = wan->port;
	}
	swap_family(&s->tagged_addresses, "lan_ipv4", "wan_ipv4");
	swap_family(&s->tagged_addresses, "lan_ipv6", "wan_ipv6");
}
