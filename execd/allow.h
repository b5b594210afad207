/*
 * Which commands may run: those of the configuration, word for word.
 */
#ifndef EXECD_ALLOW_H
#define EXECD_ALLOW_H

#include <stdbool.h>

#include "common/schema/conf.h"

bool exec_allowed(const struct conf_exec *, const struct strs *args);

#endif
