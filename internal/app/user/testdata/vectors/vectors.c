/* Loops that have their sums in vector registers meet pages that cannot be
   accessed: a handler sees the registers as they are there, changes one, and the
   loop goes on. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGES = 6, SIZE = PAGES * 4096 };

static char *in, *out;
static double four[2] = {1.0 / 3, 4};

static void handler(int sig, siginfo_t *info, void *context)
{
	void *f = ((ucontext_t *)context)->uc_mcontext.fpregs;
	char *page = (char *)((unsigned long)info->si_addr & -4096ul);
#ifdef __i386__ /* what FXSAVE has lies behind the old form */
	unsigned *image = (unsigned *)((char *)f + 112);
#else
	unsigned *image = (unsigned *)f;
#endif
	printf("%s %5ld mxcsr %04x", page < out ? "in " : "out", (long)((char *)info->si_addr - (page < out ? in : out)) & -16, image[6]); /* either half may be the first */
	for (int i = 0; i < 6; i++)
		printf(" %08x%08x%08x%08x", image[40 + 4 * i + 3], image[40 + 4 * i + 2], image[40 + 4 * i + 1], image[40 + 4 * i]);
	printf("\n");
	image[40 + 4 * 5] += 1000; /* xmm5 counts */
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

__attribute__((target("sse2"))) int main(void)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	char result[96];
	unsigned mxcsr[2] = {0x1f80, 0x5f80}, now;
	sigaction(SIGSEGV, &sa, 0);
	in = mmap(0, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	out = in + SIZE;
	for (int round = 0; round < 4; round++) {
		mprotect(in, 2 * SIZE, PROT_READ | PROT_WRITE);
		for (int i = 0; i < SIZE / 8; i++)
			((double *)in)[i] = i * 0.1 + round;
		memset(out, 0, SIZE);
		if (round > 0)
			for (int i = 0; i < 2 * PAGES; i++)
				mprotect(in + 4096 * i, 4096, i % 3 == round % 3 ? PROT_NONE : PROT_READ);
		char *p = in, *q = out;
		long n = SIZE / 16;
		__asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm5, %%xmm5\n\tpcmpeqd %%xmm4, %%xmm4\n"
				 "\tmovupd %3, %%xmm3\n\tldmxcsr %5\n"
				 "1:\tmovsd (%0), %%xmm2\n\tmovhpd 8(%0), %%xmm2\n"
				 "\tmulpd %%xmm3, %%xmm2\n\taddpd %%xmm2, %%xmm0\n\tpsubd %%xmm4, %%xmm5\n"
				 "\tmovapd %%xmm0, (%1)\n\taddsd (%1), %%xmm1\n\tmovsd %%xmm1, 8(%1)\n"
				 "\tadd $16, %0\n\tadd $16, %1\n\tdec %2\n\tjnz 1b\n"
				 "\tmovups %%xmm0, %4\n\tmovups %%xmm1, 16+%4\n\tmovups %%xmm2, 32+%4\n\tmovups %%xmm5, 48+%4\n\tstmxcsr %6\n\tldmxcsr %7\n"
				 : "+r"(p), "+r"(q), "+r"(n)
				 : "m"(four), "m"(result), "m"(mxcsr[round & 1]), "m"(now), "m"(mxcsr[0])
				 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "memory");
		printf("round %d: mxcsr %04x", round, now);
		for (int i = 0; i < 16; i++)
			printf(" %08x", ((unsigned *)result)[i]);
		unsigned sum = 0;
		mprotect(in, 2 * SIZE, PROT_READ | PROT_WRITE);
		for (int i = 0; i < SIZE / 4; i++)
			sum = sum * 31 + ((unsigned *)out)[i];
		printf(" sum %08x\n", sum);
	}
	printf("done\n");
	return 0;
}
