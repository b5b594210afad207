/*
 * The list of commands.  checkd and catalogd name a command by its arguments;
 * what does not stand in the configuration is refused here, whoever asks.
 */
#include <string.h>

#include "execd/allow.h"

bool
exec_allowed(const struct conf_exec *conf, const struct strs *args)
{
	size_t	 i;

	if (args->n == 0 || *args->item[0] == '\0')
		return false;
	if (conf->any)
		return true;
	for (i = 0; i < conf->commands.n; i++)
		if (strs_equal(&conf->commands.item[i].args, args))
			return true;
	return false;
}
