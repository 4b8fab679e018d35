/* Calls and jumps between pages, of which one becomes another after many calls. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, times = 5000 };
static unsigned char *code;
static sigjmp_buf back;
static unsigned char *where;

typedef int function(void);

static void handler(int s, siginfo_t *info, void *context)
{
	where = info->si_addr;
	siglongjmp(back, s);
}

/* MOV EAX, n; RET */
static void put(unsigned char *at, int n)
{
	unsigned char b[] = { 0xb8, n, n >> 8, n >> 16, n >> 24, 0xc3 };
	memcpy(at, b, sizeof b);
}

/* CALL or JMP to */
static unsigned char *go(unsigned char *at, int op, unsigned char *to)
{
	int d = to - (at + 5);
	at[0] = op;
	memcpy(at + 1, &d, 4);
	return at + 5;
}

static void caller(unsigned char *at, unsigned char *to) { *go(at, 0xe8, to) = 0xc3; }

static void many(const char *name, unsigned char *at)
{
	int i, s, n = 0, odd = 0;
	if ((s = sigsetjmp(back, 1))) {
		printf("%s: signal %d at %ld\n", name, s, (long)(where - code));
		return;
	}
	for (i = 0; i < times; i++) {
		int r = ((function *)at)();
		odd += i && r != n;
		n = r;
	}
	printf("%s: %d, %d odd\n", name, n, odd);
}

static void map(unsigned char *at, int prot)
{
	if (mmap(at, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		perror("mmap");
}

static void *changer(void *at)
{
	usleep(20000);
	put(at, 77);
	return 0;
}

int main(void)
{
	enum { all = PROT_READ | PROT_WRITE | PROT_EXEC };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	pthread_t t;
	unsigned char *callee, *p, *copy;
	int fd, i;
	sigaction(SIGSEGV, &sa, 0);
	code = mmap(0, 16 * PAGE, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	callee = code + PAGE + 16;
	caller(code, callee);
	put(callee, 1);
	many("first", code);
	put(callee, 2);
	many("changed", code);
	munmap(code + PAGE, PAGE);
	many("unmapped", code);
	map(code + PAGE, all);
	put(callee, 3);
	many("mapped", code);
	mprotect(code + PAGE, PAGE, PROT_NONE);
	many("protected", code);
	mprotect(code + PAGE, PAGE, PROT_READ | PROT_EXEC);
	many("not", code);
	put(code + 2 * PAGE + 16, 4);
	mremap(code + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, code + PAGE);
	many("moved", code);
	pthread_create(&t, 0, changer, callee);
	while (((function *)code)() != 77)
		;
	pthread_join(t, 0);
	many("by another thread", code);
	fd = memfd_create("code", 0);
	put(code + 3 * PAGE, 5);
	write(fd, code + 3 * PAGE, PAGE);
	mmap(code + PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
	caller(code, code + PAGE);
	many("file", code);
	put(code + 3 * PAGE, 6);
	pwrite(fd, code + 3 * PAGE, PAGE, 0);
	mmap(code + PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
	many("written and mapped", code);

	/* The same page twice, with different ones behind it. */
	copy = code + 8 * PAGE;
	memset(code + 3 * PAGE, 0, PAGE);
	caller(code + 3 * PAGE, code + 4 * PAGE + 32);
	pwrite(fd, code + 3 * PAGE, PAGE, 0);
	mmap(code + 3 * PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
	mmap(copy, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
	put(code + 4 * PAGE + 32, 8);
	put(copy + PAGE + 32, 9);
	for (i = 0; i < 3; i++) {
		many("one", code + 3 * PAGE);
		many("the other", copy);
	}

	/* A loop of three pages: EAX counts, ECX counts down. */
	p = code + 10 * PAGE;
	memcpy(p, "\x31\xc0\xb9\x10\x27\0\0", 7);   /* XOR EAX, EAX; MOV ECX, 10000 */
	go(p + 7, 0xe9, p + PAGE);
	memcpy(p + PAGE, "\x83\xc0\x03", 3);         /* ADD EAX, 3 */
	go(p + PAGE + 3, 0xe9, p + 2 * PAGE);
	memcpy(p + 2 * PAGE, "\x83\xe9\x01\x0f\x85", 5); /* SUB ECX, 1; JNZ */
	i = p + PAGE - (p + 2 * PAGE + 9);
	memcpy(p + 2 * PAGE + 5, &i, 4);
	p[2 * PAGE + 9] = 0xc3;
	printf("loop: %d\n", ((function *)p)());
	p[PAGE + 2] = 5;
	printf("loop: %d\n", ((function *)p)());
	puts("done");
	return 0;
}
