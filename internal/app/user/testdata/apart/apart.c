/* Another process is to work on this one's memory, which waits for it there. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>

static volatile int worked;
static char stack[65536] __attribute__((aligned(16)));

static int work(void *x)
{
	worked = 1;
	return 0;
}

int main(void)
{
	if (clone(work, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED, 0) < 0) {
		printf("%s\n", errno == ENOSYS ? "not built" : "wrong");
		return 0;
	}
	while (!worked)
		sched_yield();
	printf("worked\n");
	return 0;
}
