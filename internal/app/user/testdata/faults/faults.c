/* A page that another thread takes away again and again: each fault is to be
   at the instruction that has met it, with what came before it done, once. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __i386__
enum { ip = REG_EIP, loads = REG_ECX, stores = REG_ESI };
#else
enum { ip = REG_RIP, loads = REG_RCX, stores = REG_RSI };
#endif

static char *page;
static volatile int stop, faults, wrong;
extern char load[], store[];

static void handler(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	long more = r[loads] - r[stores];
	if (info->si_addr != page + 8 || !(r[ip] == (greg_t)load && more == 0 || r[ip] == (greg_t)store && more == 1))
		wrong++;
	faults++;
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void *taker(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		usleep(100);
		mprotect(page, 4096, i & 1 ? PROT_NONE : PROT_READ);
	}
	stop = 1;
	return 0;
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	pthread_t t;
	long a = 0, b = 0;
	sigaction(SIGSEGV, &sa, 0);
	page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_create(&t, 0, taker, 0);
	while (!stop) {
		int n = 1000;
		__asm__ volatile("1:\n"
				 ".globl load\nload: mov 8(%2), %%eax\n\tinc %0\n"
				 ".globl store\nstore: movl %%eax, 8(%2)\n\tinc %1\n"
				 "\tdec %3\n\tjnz 1b\n"
				 : "+c"(a), "+S"(b), "+b"(page), "+d"(n)
				 :
				 : "eax", "memory");
	}
	pthread_join(t, 0);
	printf("some %d, wrong %d, equal %d\n", faults > 20, wrong, a == b);
	return 0;
}
