/*
 * The web page: four files, part of the program, served below ui_content_path
 * when `ui` is on.  It asks the API like any other client.
 */
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"

/* The bytes of a file of apid/page/ under a symbol, and their end. */
#define EMBED(sym, file)						\
	__asm__(".pushsection .rodata\n"				\
	    "page_" #sym ":\n\t.incbin \"apid/page/" file "\"\n"	\
	    "page_" #sym "_end:\n\t.byte 0\n"				\
	    ".popsection\n");						\
	extern const char page_##sym[] __attribute__((visibility("hidden"))); \
	extern const char page_##sym##_end[] __attribute__((visibility("hidden")))

EMBED(html, "index.html");
EMBED(css, "page.css");
EMBED(page, "page.js");
EMBED(views, "views.js");
EMBED(api, "api.js");
EMBED(dom, "dom.js");

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define JS "text/javascript; charset=utf-8"

static const struct {
	const char	*name, *type, *begin, *end;
} files[] = {
	{ "", HTML, page_html, page_html_end },
	{ "index.html", HTML, page_html, page_html_end },
	{ "page.css", CSS, page_css, page_css_end },
	{ "page.js", JS, page_page, page_page_end },
	{ "views.js", JS, page_views, page_views_end },
	{ "api.js", JS, page_api, page_api_end },
	{ "dom.js", JS, page_dom, page_dom_end },
};

/* Nothing from elsewhere, nothing inline, in nobody's frame. */
static const char policy[] = "default-src 'none'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

static void
serve(struct request *r, const char *name)
{
	size_t	i;

	for (i = 0; i < NELEM(files); i++)
		if (strcmp(files[i].name, name) == 0)
			break;
	if (i == NELEM(files)) {
		/* A link into Consul's page: "dc1/services/web". */
		name = strchr(name, '/');
		add_header(r, "Location", "%s#%s", r->apid->http.ui_path,
		    str_or(name, "/"));
		reply_empty(r, 302);
		return;
	}
	add_header(r, "Content-Security-Policy", "%s", policy);
	add_header(r, "X-Content-Type-Options", "nosniff");
	add_header(r, "Referrer-Policy", "no-referrer");
	add_header(r, "Cache-Control", "no-cache");
	wb_bytes(&r->answer, files[i].begin,
	    (size_t)(files[i].end - files[i].begin));
	r->type = files[i].type;
	reply_empty(r, 200);
}

bool
page_serves(struct request *r)
{
	const char	*ui = r->apid->http.ui_path;
	size_t		 n = str_empty(ui) ? 0 : strlen(ui);
	bool		 is_root = strcmp(r->path, "/") == 0;

	if (r->method != M_GET && strcmp(r->method_text, "HEAD") != 0)
		return false;
	if (n > 0 && strncmp(r->path, ui, n) == 0)
		serve(r, r->path + n);
	else if (n > 0 && (is_root || (strlen(r->path) == n - 1 &&
	    strncmp(r->path, ui, n - 1) == 0)))
		redirect(r, ui);
	else if (is_root)
		reply_text(r, 200, "Consul Agent");
	else
		return false;
	return true;
}
