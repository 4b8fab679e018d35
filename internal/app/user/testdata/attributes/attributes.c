/* What a thread has from the one that starts it: both say it after each change. */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};

static void show(const char *when)
{
	cpu_set_t cpus;
	unsigned r, e, s, rg, eg, sg, groups[32] = {0};
	char name[17] = {0};
	struct __user_cap_data_struct caps[2];
	int ambient = 0, bounds = 0, n = getgroups(32, groups);
	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof cpus, &cpus);
	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	prctl(PR_GET_NAME, name);
	syscall(SYS_capget, &head, caps);
	for (int i = 0; i < 41; i++) {
		ambient += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1;
		bounds += prctl(PR_CAPBSET_READ, i) == 1;
	}
	printf("%s: %s, user %u %u %u %d, group %u %u %u %d, %d groups %u\n", when, name, r, e, s, setfsuid(-1), rg, eg, sg, setfsgid(-1), n, groups[0]);
	printf("  %d processors, nice %d, policy %d, i/o %ld, slack %d, personality %x\n", CPU_COUNT(&cpus), getpriority(PRIO_PROCESS, 0),
	       sched_getscheduler(0), syscall(SYS_ioprio_get, 1, 0), prctl(PR_GET_TIMERSLACK), personality(-1));
	printf("  permitted %x %x, effective %x %x, ambient %d, bounds %d, keep %d, secure %x, no new %d\n", caps[0].permitted, caps[1].permitted,
	       caps[0].effective, caps[1].effective, ambient, bounds, prctl(PR_GET_KEEPCAPS), prctl(PR_GET_SECUREBITS), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	fflush(stdout);
}

static void *thread(void *when)
{
	show(when);
	return 0;
}

static void both(char *when)
{
	pthread_t t;
	show(when);
	pthread_create(&t, 0, thread, when);
	pthread_join(t, 0);
}

static unsigned long long theirs;

static void *reader(void *x) { theirs = __builtin_ia32_rdtsc(); return x; }

/* The time stamp counters of threads are one. */
static void counters(void)
{
	int ordered = 1;
	for (int i = 0; i < 20; i++) {
		pthread_t t;
		unsigned long long before = __builtin_ia32_rdtsc();
		pthread_create(&t, 0, reader, 0);
		pthread_join(t, 0);
		ordered &= before < theirs && theirs < __builtin_ia32_rdtsc();
	}
	printf("counters %d\n", ordered);
}

int main(void)
{
	cpu_set_t cpus;
	struct sched_param param = {0};
	gid_t groups[] = {44, 55};
	struct __user_cap_data_struct some[2] = {{0x4400, 0x4400, 0x4400}};

	counters();
	both("start");
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof cpus, &cpus);
	both("affinity");
	setpriority(PRIO_PROCESS, 0, 5);
	sched_setscheduler(0, SCHED_BATCH, &param);
	syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3);
	prctl(PR_SET_TIMERSLACK, 70000);
	both("schedule");
	prctl(PR_SET_NAME, "renamed");
	personality(ADDR_NO_RANDOMIZE);
	both("personality");
	prctl(PR_CAPBSET_DROP, 20);
	both("bounds");
	setgroups(2, groups);
	syscall(SYS_setresgid, 7, 8, 9);
	both("groups");
	/* Of this thread only, where the library has all do it. */
	prctl(PR_SET_KEEPCAPS, 1);
	syscall(SYS_setresuid, 1000, 1001, 1002);
	both("user");
	syscall(SYS_capset, &head, some);
	both("capabilities");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 10, 0, 0);
	both("ambient");
	prctl(PR_SET_KEEPCAPS, 0);
	syscall(SYS_setresuid, 1001, 1001, 1001);
	both("another user");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	both("no new");
	puts("done");
	return 0;
}
