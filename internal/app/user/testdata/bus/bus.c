/* Accesses to a mapping that is longer than its file. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int sig, code;
static char *volatile at, *page;

static void handler(int s, siginfo_t *info, void *context)
{
	sig = s;
	code = info->si_code;
	at = info->si_addr;
	siglongjmp(back, 1);
}

static void access_to(const char *name, int prot, int write, int off)
{
	FILE *f = tmpfile();
	if (ftruncate(fileno(f), 100))
		return;
	page = mmap(0, 8192, prot, MAP_SHARED, fileno(f), 0);
	sig = code = 0;
	at = page;
	if (!sigsetjmp(back, 1)) {
		if (write)
			*(volatile char *)(page + off) = 1;
		else
			(void)*(volatile char *)(page + off);
	}
	printf("%s at %d: signal %d, %d, %d\n", name, off, sig, code, (int)(at - page));
	munmap(page, 8192);
	fclose(f);
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &sa, 0);
	sigaction(SIGBUS, &sa, 0);
	for (int i = 0; i < 3; i++) {
		access_to("read of read-only", PROT_READ, 0, 5000);
		access_to("write of read-only", PROT_READ, 1, 5000);
		access_to("write of read-only", PROT_READ, 1, 50);
		access_to("read", PROT_READ | PROT_WRITE, 0, 5000);
		access_to("write", PROT_READ | PROT_WRITE, 1, 5000);
		access_to("read of none", PROT_NONE, 0, 5000);
		access_to("write of none", PROT_NONE, 1, 5);
	}
	puts("done");
	return 0;
}
