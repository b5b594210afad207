/*
 * Addresses of what is in another datacenter.  See far.h; which address that
 * is says common/reach.h.
 */
#include <string.h>

#include "apid/far.h"
#include "common/reach.h"
#include "common/util.h"

static bool
is_translated(const struct request *r, const char *dc)
{
	return r->apid->agent.translate_wan && !str_empty(dc) &&
	    strcmp(dc, r->apid->agent.datacenter) != 0;
}

void
far_node(const struct request *r, struct node *n)
{
	if (is_translated(r, n->datacenter))
		reach_show_node(&n->address, &n->tagged_addresses);
}

void
far_service(const struct request *r, const char *dc, struct node_service *s)
{
	if (is_translated(r, dc))
		reach_show_service(&s->address, &s->port,
		    &s->tagged_addresses);
}

void
far_row(const struct request *r, struct service_node *n)
{
	if (!is_translated(r, n->datacenter))
		return;
	reach_show_node(&n->address, &n->tagged_addresses);
	reach_show_service(&n->service_address, &n->service_port,
	    &n->service_tagged_addresses);
}

void
far_instances(const struct request *r, struct check_service_node_vec *v)
{
	size_t	i;

	for (i = 0; i < v->n; i++) {
		far_service(r, v->item[i].node.datacenter,
		    &v->item[i].service);
		far_node(r, &v->item[i].node);
	}
}
