/*
 * How many processors this process may use.
 */
#ifndef CONF_CPU_H
#define CONF_CPU_H

/* The processors that the affinity mask allows, fewer if a cgroup (v2) grants less time; at least 1. */
unsigned conf_cpu_count(void);

/* What a cgroup's cpu.max ("QUOTA PERIOD", or "max PERIOD") grants, in processors, rounded up; `all` for one
 * without a limit or that cannot be read. Pure. */
unsigned conf_cpu_quota(const char *text, unsigned all);

#endif
