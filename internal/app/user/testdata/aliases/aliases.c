/* Code that is written at one address and executed at another, of the same memory. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 4

static int file;
static unsigned char *x; /* executable */

static unsigned char *view(int prot, int first, int n)
{
	unsigned char *p = mmap(0, n * PAGE, prot, MAP_SHARED, file, first * PAGE);
	if (p == MAP_FAILED)
		exit(1);
	return p;
}

/* mov $v, %eax; ret */
static void emit(unsigned char *at, int v)
{
	*at = 0xb8;
	memcpy(at + 1, &v, 4);
	at[5] = 0xc3;
}

static int call(int at) { return ((int (*)(void))(x + at))(); }

static void *other(void *w)
{
	emit((unsigned char *)w, 77);
	return 0;
}

int main(void)
{
	int i, wrong = 0;
	pthread_t t;
	file = memfd_create("code", 0);
	ftruncate(file, PAGES * PAGE);
	x = view(PROT_READ | PROT_EXEC, 0, PAGES);
	unsigned char *w = view(PROT_READ | PROT_WRITE, 0, PAGES);

	for (i = 0; i < 2000; i++) {
		int at = i % PAGES * PAGE + i % 7 * 16;
		emit(w + at, i);
		wrong += call(at) != i;
	}
	printf("written at another address: %d wrong\n", wrong);

	/* Code is executed before there is the mapping by which it is written. */
	for (i = 0; i < 200; i++) {
		unsigned char *v = view(PROT_READ | PROT_WRITE, 1, 2);
		emit(v + 100, i);
		wrong += call(PAGE + 100) != i;
		v = mremap(v, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
		emit(v + 2 * PAGE, -i);
		emit(v + 100, -i);
		wrong += call(3 * PAGE) != -i || call(PAGE + 100) != -i;
		munmap(v, 3 * PAGE);
	}
	printf("mapped for each: %d wrong\n", wrong);

	for (i = 0; i < 200; i++) {
		mprotect(w, PAGES * PAGE, PROT_READ | PROT_WRITE);
		emit(w + 8, i);
		wrong += call(8) != i;
		mprotect(w, PAGES * PAGE, i & 1 ? PROT_READ : PROT_NONE);
		wrong += call(8) != i;
	}
	mprotect(w, PAGES * PAGE, PROT_READ | PROT_WRITE);
	printf("writable at times: %d wrong\n", wrong);

	/* By a system call, by another thread, and both mappings in a child. */
	for (i = 0; i < 50; i++) {
		int p[2];
		unsigned char b[6];
		pipe(p);
		emit(b, i + 1000);
		write(p[1], b, 6);
		read(p[0], w + 32, 6);
		close(p[0]);
		close(p[1]);
		wrong += call(32) != i + 1000;
		pthread_create(&t, 0, other, w + 32);
		pthread_join(t, 0);
		wrong += call(32) != 77;
	}
	printf("by read, by a thread: %d wrong\n", wrong);
	fflush(stdout);
	if (!fork()) {
		for (i = 0; i < 50; i++) {
			emit(w + 32, i);
			wrong += call(32) != i;
		}
		_exit(wrong);
	}
	wait(&i);
	printf("in a child: %d\n", i);

	/* Both can do both. */
	unsigned char *y = view(PROT_READ | PROT_WRITE | PROT_EXEC, 0, PAGES), *z = x;
	mprotect(x, PAGES * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (i = 0; i < 200; i++) {
		emit(x + 64, i);
		x = y;
		wrong += call(64) != i;
		emit(y + 64, i + 1);
		x = z;
		wrong += call(64) != i + 1;
		emit(w + 64, i + 2);
		wrong += call(64) != i + 2;
		x = y;
		wrong += call(64) != i + 2;
		x = z;
	}
	printf("each writable and executable: %d wrong\ndone\n", wrong);
	return 0;
}
