/* Atomic operations of several threads: some execute new code each time, and the last
   are begun when there are so many that rhea interprets them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { threads = 4, idle = 520, size = 1 << 20, step = 64, loops = 10000000 };
static volatile int counter;

static void *adder(void *x)
{
	static const unsigned char code[] = {0xf0, 0xff, 0x07, 0xc3}; /* lock incl (%edi); ret */
	unsigned char *p = mmap(0, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < size; i += step) {
		memcpy(p + i, code, sizeof code);
		__asm__ volatile("call *%0" : : "r"(p + i), "D"(&counter) : "memory", "cc");
	}
	return x;
}

static void *looper(void *x)
{
	for (int i = 0; i < loops; i++)
		__sync_fetch_and_add(&counter, 1);
	return x;
}

static void *sleeper(void *x) { return pause(), x; }

static void *few(void *x)
{
	for (int i = 0; i < loops / 10; i++)
		__sync_fetch_and_add(&counter, 1);
	return x;
}

int main(void)
{
	pthread_t t[threads], other, last;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (int i = 0; i < threads; i++)
		pthread_create(&t[i], 0, i & 1 ? adder : looper, 0);
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], 0);
	for (int i = 0; i < idle; i++)
		pthread_create(&other, &small, sleeper, 0);
	pthread_create(&last, &small, few, 0);
	few(0);
	pthread_join(last, 0);
	counter -= 2 * (loops / 10);
	printf("lost %d\ndone\n", threads / 2 * (size / step + loops) - counter);
	return 0;
}
