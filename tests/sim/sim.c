/*
 * sim: runs of a network of gossip cores.  Each is a process of its own, and
 * is repeated exactly by its seed.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define JOBS_MAX 64

struct opts {
	struct sim_conf	 conf;
	uint32_t	 hosts;
	unsigned	 runs, seconds, jobs;
	double		 loss;
	const char	*self;
};

/* What a run leaves behind, seen by the parent. */
struct result { uint64_t hash, steps; };

struct job {
	const struct scenario	*scenario;
	const struct control	*control;
	uint64_t		 seed;
	pid_t			 pid;
	FILE			*out;
	struct result		*result;
};

const struct table tables[] = {
	{ "spread", table_spread, "events and member changes" },
	{ "crash", table_crash, "detection of a crash" },
	{ "traffic", table_traffic, "datagrams and bytes" },
	{ "slow", table_slow, "false positives, with and without Lifeguard" },
};
const size_t ntables = NELEM(tables);

static void
usage(void)
{
	fprintf(stderr,
"usage: sim [options] check	all scenarios, and that forgeries are noticed\n"
"       sim [options] NAME ...	these scenarios or forgeries\n"
"       sim [options] table NAME ...	figures\n"
"       sim list\n"
"options:\n"
"	-b MS	table slow: slow members stand still so long (a grid of times)\n"
"	-i MS	and run so long in between\n"
"	-j N	runs at a time (number of processors)\n"
"	-k PART	clocks are up to so much fast or slow: 0.01\n"
"	-l MS	median latency (0.5)\n"
"	-n N	hosts (as the scenario has it; tables: all sizes)\n"
"	-p PART	of the datagrams is lost: 0.3 (tables: 0, 0.05, 0.3)\n"
"	-r N	runs of which a table shows median and maximum (7)\n"
"	-s SEED	of the first run (1)\n"
"	-S	loss delays streams, too (scenarios: always)\n"
"	-t S	table slow: so long for each point of the grid (120)\n"
"	-v	print what the cores note\n"
"	-z	datagrams go through checksum, compression and encryption\n");
	exit(2);
}

static void
list(void)
{
	size_t	i;

	for (i = 0; i < nscenarios; i++)
		printf("%-20s %s\n", scenarios[i].name, scenarios[i].what);
	for (i = 0; i < ncontrols; i++)
		printf("%-20s %s: breaks \"%s\"\n", controls[i].name,
		    controls[i].what, invariant_name(controls[i].breaks));
	for (i = 0; i < ntables; i++)
		printf("table %-14s %s\n", tables[i].name, tables[i].what);
}

/* ---- one run, in its process ---- */

static void
run(const struct opts *o, const struct job *j)
{
	struct sim_conf	 c = o->conf;
	const char	*name = j->scenario != NULL ? j->scenario->name :
			     j->control->name;
	uint32_t	 hosts = j->scenario != NULL ? j->scenario->hosts :
			     j->control->hosts;
	void		(*conf)(struct sim_conf *) = j->scenario != NULL ?
			     j->scenario->conf : j->control->conf;
	struct sim	*s;
	char		 replay[256];

	c.seed = j->seed;
	c.hosts = o->hosts != 0 ? o->hosts : hosts;
	c.checked = c.lossy_streams = true;
	if (conf != NULL)
		conf(&c);
	if (o->loss >= 0)
		c.loss = o->loss;
	s = sim_new(&c);
	(void)snprintf(replay, sizeof(replay), "%s -s %llu -n %u%s %s",
	    o->self, (unsigned long long)c.seed, c.hosts,
	    c.sealed ? " -z" : "", name);
	s->replay = replay;
	(j->scenario != NULL ? j->scenario->run : j->control->run)(s);
	printf("    %u hosts, %.0f s, %llu steps, hash %016llx\n", s->n,
	    (double)s->now / NS_PER_S, (unsigned long long)s->steps,
	    (unsigned long long)s->hash);
	j->result->hash = s->hash;
	j->result->steps = s->steps;
	sim_free(s);
}

static void
job_start(const struct opts *o, struct job *j)
{
	if ((j->out = tmpfile()) == NULL || (j->pid = fork()) == -1) {
		perror("sim");
		exit(1);
	}
	if (j->pid != 0)
		return;
	if (!o->conf.loud)
		(void)dup2(fileno(j->out), STDOUT_FILENO);
	run(o, j);
	(void)fflush(stdout);
	_exit(0);
}

static void
job_copy(struct job *j)
{
	char	buf[4096];
	size_t	n;

	rewind(j->out);
	while ((n = fread(buf, 1, sizeof(buf), j->out)) > 0)
		(void)fwrite(buf, 1, n, stdout);
	(void)fclose(j->out);
}

/* True if it went as it should. */
static bool
job_end(struct job *j, int status)
{
	const char	*name = j->scenario != NULL ? j->scenario->name :
			     j->control->name;
	int		 want = j->control != NULL ?
			     10 + (int)j->control->breaks : 0;
	bool		 ok = WIFEXITED(status) && WEXITSTATUS(status) == want;

	printf("%s %s (seed %llu)\n", ok ? "ok    " : "FAILED", name,
	    (unsigned long long)j->seed);
	if (j->control == NULL || !ok)
		job_copy(j);
	else
		(void)fclose(j->out);
	if (!ok && j->control != NULL)
		printf("    the forgery went unnoticed, or as something else "
		    "than \"%s\"\n", invariant_name(j->control->breaks));
	(void)fflush(stdout);
	return ok;
}

static bool
run_all(const struct opts *o, struct job *j, size_t n)
{
	size_t	started = 0, running = 0, i;
	bool	ok = true;
	pid_t	pid;
	int	status;

	while (started < n || running > 0) {
		while (started < n && running < o->jobs) {
			job_start(o, &j[started++]);
			running++;
		}
		if ((pid = wait(&status)) == -1)
			break;
		for (i = 0; i < started; i++)
			if (j[i].pid == pid) {
				running--;
				if (!job_end(&j[i], status))
					ok = false;
			}
	}
	return ok;
}

/* ---- what to run ---- */

static struct result *
shared_results(size_t n)
{
	void	*p = mmap(NULL, n * sizeof(struct result),
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static bool
find_job(const char *name, struct job *j)
{
	size_t	i;

	for (i = 0; i < nscenarios; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			j->scenario = &scenarios[i];
	for (i = 0; i < ncontrols; i++)
		if (strcmp(controls[i].name, name) == 0)
			j->control = &controls[i];
	return j->scenario != NULL || j->control != NULL;
}

static int
run_named(const struct opts *o, char **name, int n)
{
	struct job	 jobs[JOBS_MAX] = { 0 };
	struct result	*r = shared_results(JOBS_MAX);
	int		 i;

	if (n > JOBS_MAX)
		usage();
	for (i = 0; i < n; i++) {
		jobs[i].seed = o->conf.seed;
		jobs[i].result = &r[i];
		if (!find_job(name[i], &jobs[i])) {
			fprintf(stderr, "sim: no scenario \"%s\"\n", name[i]);
			return 2;
		}
	}
	return run_all(o, jobs, (size_t)n) ? 0 : 1;
}

static int
check(const struct opts *o)
{
	struct job	 jobs[JOBS_MAX] = { 0 };
	struct result	*r = shared_results(JOBS_MAX);
	size_t		 i, n = 0, first;
	bool		 ok;

	for (i = 0; i < nscenarios; i++)
		jobs[n++].scenario = &scenarios[i];
	/* The last again with a seed that nobody has seen, and that again. */
	first = n;
	jobs[n++].scenario = &scenarios[nscenarios - 1];
	jobs[n++].scenario = &scenarios[nscenarios - 1];
	for (i = 0; i < ncontrols; i++)
		jobs[n++].control = &controls[i];
	for (i = 0; i < n; i++) {
		jobs[i].seed = o->conf.seed;
		jobs[i].result = &r[i];
	}
	jobs[first].seed = jobs[first + 1].seed = (uint64_t)time(NULL);
	ok = run_all(o, jobs, n);
	if (ok && r[first].hash != r[first + 1].hash) {
		printf("FAILED: two runs of one seed differ: %s -s %llu %s\n",
		    o->self, (unsigned long long)jobs[first].seed,
		    jobs[first].scenario->name);
		ok = false;
	}
	printf("sim: %s\n", ok ? "all as it should be" : "FAILED");
	return ok ? 0 : 1;
}

static int
print_tables(const struct opts *o, char **name, int n)
{
	struct table_opts	 t = {
		.conf = o->conf, .hosts = o->hosts, .loss = o->loss,
		.runs = o->runs, .seconds = o->seconds
	};
	size_t			 k;
	int			 i;

	for (i = 0; i < n; i++) {
		for (k = 0; k < ntables; k++)
			if (strcmp(tables[k].name, name[i]) == 0)
				break;
		if (k == ntables)
			usage();
		tables[k].print(&t);
	}
	return 0;
}

/* ---- options ---- */

static double
number(const char *text, double min, double max)
{
	char	*end;
	double	 v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= min && v <= max)) {
		fprintf(stderr, "sim: \"%s\" is not between %g and %g\n", text,
		    min, max);
		exit(2);
	}
	return v;
}

static void
option(struct opts *o, int c, const char *arg)
{
	switch (c) {
	case 'S':
		o->conf.lossy_streams = true;
		break;
	case 'b':
		o->conf.block_ns = (uint64_t)(number(arg, 1, 1e6) * NS_PER_MS);
		break;
	case 'i':
		o->conf.run_ns = (uint64_t)(number(arg, 1, 1e6) * NS_PER_MS);
		break;
	case 'j':
		o->jobs = (unsigned)number(arg, 1, JOBS_MAX);
		break;
	case 'k':
		o->conf.skew = number(arg, 0, 0.5);
		break;
	case 'l':
		o->conf.latency_ns = (uint64_t)(number(arg, 0.001, 1e4) *
		    NS_PER_MS);
		break;
	case 'n':
		o->hosts = (uint32_t)number(arg, 4, SIM_HOSTS_MAX);
		break;
	case 'p':
		o->loss = number(arg, 0, 0.99);
		break;
	case 'r':
		o->runs = (unsigned)number(arg, 1, 64);
		break;
	case 's':
		o->conf.seed = strtoull(arg, NULL, 10);
		break;
	case 't':
		o->seconds = (unsigned)number(arg, 1, 1e6);
		break;
	case 'v':
		o->conf.loud = true;
		break;
	case 'z':
		o->conf.sealed = true;
		break;
	default:
		usage();
	}
}

int
main(int argc, char **argv)
{
	struct opts	o = { .runs = 7, .seconds = 120, .loss = -1 };
	long		cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int		c;

	sim_conf_init(&o.conf);
	o.jobs = cpus < 1 ? 1 : cpus > JOBS_MAX ? JOBS_MAX : (unsigned)cpus;
	o.self = argv[0];
	while ((c = getopt(argc, argv, "Sb:i:j:k:l:n:p:r:s:t:vz")) != -1)
		option(&o, c, optarg);
	argc -= optind;
	argv += optind;
	if (argc < 1)
		usage();
	if (strcmp(argv[0], "list") == 0) {
		list();
		return 0;
	}
	if (strcmp(argv[0], "check") == 0)
		return check(&o);
	if (strcmp(argv[0], "table") == 0)
		return argc < 2 ? (usage(), 2) :
		    print_tables(&o, argv + 1, argc - 1);
	return run_named(&o, argv, argc);
}
