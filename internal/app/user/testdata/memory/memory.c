/* System calls about memory that is not mapped, not there, locked or guarded; some of files. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#define PAGE 4096
#define SHOW(call) do { errno = 0; long r = (call); printf("%s: %ld %d\n", #call, r, errno); } while (0)

static sigjmp_buf back;
static volatile int sig, code;

static void handler(int s, siginfo_t *info, void *context)
{
	sig = s;
	code = info->si_code;
	siglongjmp(back, 1);
}

/* The first line of /proc/self/status with a name. */
static void status(const char *name)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name))) {
			long n = atol(line + strlen(name) + 1);
			printf("%s is %s\n", name, n ? "more" : "0");
		}
	fclose(f);
}

/* What /proc/self/maps says of an address. */
static void rights(void *at)
{
	char line[512], perm[8];
	unsigned long lo, hi;
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, perm) == 3 && lo <= (unsigned long)at && (unsigned long)at < hi)
			printf("%s\n", perm);
	fclose(f);
}

static void store(volatile char *at)
{
	sig = code = 0;
	if (!sigsetjmp(back, 1))
		*at = 1;
	printf("a store: signal %d, %d\n", sig, code);
}

static volatile int handled;
static void count(int s) { handled++; }

int main(void)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	unsigned char vec[16];
	int f = fileno(tmpfile());
	sigaction(SIGSEGV, &sa, 0);
	sigaction(SIGBUS, &sa, 0);

#ifdef MAP_32BIT
	/* Where it is wanted, if that is low enough. */
	char *low = mmap((void *)0x50000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	char *high = mmap((void *)0x90000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	printf("MAP_32BIT: %p", low);
	printf(" %d\n", sizeof high == 4 || (unsigned long)high < 0x80000000);
	munmap(low, PAGE);
	munmap(high, PAGE);
#endif

	/* Of eight pages the middle two are not mapped. */
	char *p = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(p + 3 * PAGE, 2 * PAGE);
	SHOW(mincore(p, 3 * PAGE, vec));
	SHOW(mincore(p, 4 * PAGE, vec));
	SHOW(mincore(p + 1, PAGE, vec));
	SHOW(mincore(p, PAGE, (void *)(p + 3 * PAGE)));
	SHOW(msync(p, 8 * PAGE, MS_SYNC));
	SHOW(msync(p, 3 * PAGE, MS_SYNC));
	SHOW(msync(p, PAGE, MS_SYNC | MS_ASYNC));
	SHOW(msync(p + 1, PAGE, MS_SYNC));
	SHOW(msync((void *)-1L, PAGE, MS_SYNC));
	SHOW(mlock(p, 3 * PAGE));
	status("VmLck");
	SHOW(mlock(p, 8 * PAGE));
	SHOW(munlock(p, 8 * PAGE));
	SHOW(munlock(p, 3 * PAGE));
	SHOW(munlock(p + 5 * PAGE, 3 * PAGE));
	status("VmLck");
	SHOW(mlockall(0));
	SHOW(mlockall(64));
	SHOW(mlockall(MCL_FUTURE));
	char *q = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	status("VmLck");
	SHOW(munlockall());
	status("VmLck");
	SHOW((long)mmap(0, 0, PROT_READ, MAP_PRIVATE, 1234, 0));
	SHOW((long)mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	/* Guard pages (Linux 6.13). */
	if (!madvise(p, PAGE, 102)) {
		store(p);
		store(p + PAGE);
		SHOW(write(f, p, 1));
		madvise(p, PAGE, 103);
	} else
		printf("a store: signal %d, %d\na store: signal 0, 0\nwrite(f, p, 1): -1 %d\n", SIGSEGV, SEGV_ACCERR, EFAULT);
	store(p);

	rights(mmap(0, PAGE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	rights(mmap(0, PAGE, PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	rights(mmap(0, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	/* A mapping of an empty file: calls are told so. */
	char *none = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	ftruncate(f, 0);
	SHOW(syscall(SYS_uname, none));
	SHOW(syscall(SYS_open, none, 0));
	SHOW(syscall(SYS_rt_sigprocmask, 0, none, 0, 8));
	SHOW(syscall(SYS_pipe2, none, 0));
	SHOW(syscall(SYS_rt_sigaction, SIGUSR2, 0, none, 8));

	/* A handler's frame has no room: SIGSEGV comes instead. */
	stack_t st = {.ss_sp = none, .ss_size = 2 * PAGE};
	struct sigaction onstack = {.sa_handler = count, .sa_flags = SA_ONSTACK};
	SHOW(sigaltstack(&st, 0));
	sigaction(SIGUSR1, &onstack, 0);
	sig = code = 0;
	if (!sigsetjmp(back, 1))
		raise(SIGUSR1);
	printf("handled %d, signal %d, %d\n", handled, sig, code);
	st.ss_flags = 0x1234;
	SHOW(sigaltstack(&st, 0));

	/* A segment's address may be rounded. */
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	shmctl(id, IPC_RMID, 0);
	munmap(q, PAGE);
	printf("%d\n", (char *)shmat(id, q + 5, SHM_RND) == q);
	shmdt(q);

	/* The time stamp counter may be forbidden. */
	int v = 0;
	SHOW(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	SHOW(prctl(PR_GET_TSC, &v));
	printf("%d\n", v);
	sig = 0;
	if (!sigsetjmp(back, 1))
		__builtin_ia32_rdtsc();
	printf("RDTSC: signal %d\n", sig);
	SHOW(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	__builtin_ia32_rdtsc();

	/* A message with as much room for control messages as there is. */
	int s[2];
	char *room = calloc(1, 1 << 20), byte = 1;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = 1 << 20};
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	write(s[0], "x", 1);
	SHOW(recvmsg(s[1], &m, 0));
	printf("%d\n", (int)m.msg_controllen);
	m.msg_iovlen = 1025;
	SHOW(recvmsg(s[1], &m, 0));
	struct mmsghdr mm[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}};
	struct timespec bad = {-1, 0}, now = {0, 0}, ten = {10, 0};
	write(s[0], "x", 1);
	write(s[0], "x", 1);
	SHOW(recvmmsg(s[1], mm, 2, 0, &bad));
	SHOW(recvmmsg(s[1], mm, 2, 0, &now));
	write(s[0], "x", 1);
	SHOW(recvmmsg(s[1], mm, 2, 0, &ten));
	printf("%d\n", ten.tv_sec >= 8 && ten.tv_sec < 10);

#ifdef SYS_readdir
	/* Entries of a directory one by one. */
	struct { unsigned long ino, off; unsigned short len; char name[256]; } e;
	int dir = open("/usr/bin", O_RDONLY | O_DIRECTORY);
	DIR *d = opendir("/usr/bin");
	struct dirent *want;
	int alike = 0, entries = 0;
	while ((want = readdir(d)) && syscall(SYS_readdir, dir, &e, 1) == 1) {
		entries++;
		alike += e.ino == want->d_ino && e.len == strlen(e.name) && !strcmp(e.name, want->d_name);
	}
	printf("%d %d %d\n", alike == entries, entries > 10, (int)syscall(SYS_readdir, dir, &e, 1));
#endif
	puts("done");
	return 0;
}
