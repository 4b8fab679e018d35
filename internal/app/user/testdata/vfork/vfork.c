/* Children that have their parent's memory until they execute a program or end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char *self;
static volatile int word, other;
static volatile int handled;
static char buffer[3 * 4096] __attribute__((aligned(4096)));
static char stacks[8][1 << 16] __attribute__((aligned(4096)));

static int shown(pid_t pid)
{
	int status;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int run(int (*f)(void *), void *arg, int n)
{
	return clone(f, stacks[n] + sizeof stacks[n], CLONE_VM | CLONE_VFORK | SIGCHLD, arg);
}

static int spawn(const char *name)
{
	pid_t pid = 77;
	char *argv[] = { (char *)name, "exec", 0 };
	int e = posix_spawn(&pid, name, 0, 0, argv, environ);
	if (!e)
		printf("%s: %d\n", name == self ? "self" : name, shown(pid));
	return e;
}

/* What a vfork child stores, by which way. */
static void stores(void)
{
	pid_t pid;
	word = 1;
	memset(buffer, 'a', sizeof buffer);
	if (!(pid = vfork())) {
		int p[2];
		word = 2;
		pipe(p);
		write(p[1], "from the pipe", 13);
		read(p[0], buffer + 4096 - 6, 13);
		__sync_fetch_and_add((int *)(buffer + 8192), 5);
		buffer[3] = 'b';
		close(p[0]), close(p[1]);
		_exit(3);
	}
	printf("%d %d %.20s %c%c %x\n", word, shown(pid), buffer + 4090, buffer[2], buffer[3], *(int *)(buffer + 8192));
}

/* The parent goes on once the child has executed a program. */
static void order(void)
{
	int p[2];
	char b[8] = "";
	struct timespec a, z;
	pipe2(p, O_CLOEXEC);
	clock_gettime(CLOCK_MONOTONIC, &a);
	pid_t pid = vfork();
	if (!pid) {
		usleep(300000);
		execl("/no/such/file", "x", (char *)0);
		if (errno == ENOENT)
		write(p[1], "child", 5);
		execl(self, self, "sleep", (char *)0);
		_exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &z);
	double d = z.tv_sec - a.tv_sec + (z.tv_nsec - a.tv_nsec) / 1e9;
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	read(p[0], b, 5);
	printf("%s, in time %d\n", b, d > 0.29 && d < 0.95);
	printf("%d\n", shown(pid));
	close(p[0]), close(p[1]);
}

static int killed(void *how)
{
	word = 10;
	buffer[5] = 'k';
	switch ((long)how) {
	case 0:
		raise(SIGKILL);
	case 1:
		*(volatile int *)8 = 1;
	case 2:
		abort();
	case 3:
		for (;;)
			word = 11;
	}
	return 7;
}

static void *killer(void *arg)
{
	while (word != 11)
		usleep(1000);
	usleep(50000);
	/* It is the only child. */
	char name[64], b[64] = "";
	sprintf(name, "/proc/self/task/%d/children", getpid());
	int f = open(name, O_RDONLY);
	read(f, b, sizeof b - 1);
	close(f);
	kill(atoi(b), SIGKILL);
	return 0;
}

static void deaths(void)
{
	for (long how = 0; how < 5; how++) {
		pthread_t t;
		word = 0, buffer[5] = 0;
		if (how == 3)
			pthread_create(&t, 0, killer, 0);
		int pid = run(killed, (void *)how, 0);
		printf("%ld: %d %c", how, word, buffer[5]);
		printf(" %d\n", shown(pid));
		if (how == 3)
			pthread_join(t, 0);
	}
}

/* Threads of the parent store to the same page. */
static volatile int stop;
static volatile unsigned counts[64] __attribute__((aligned(4096)));

static void *counter(void *arg)
{
	volatile unsigned *c = arg;
	unsigned n = *c;
	long lost = 0;
	while (!stop) {
		if (*c != n)
			lost++, n = *c;
		*c = ++n;
	}
	return (void *)lost;
}

static int stores_beside(void *arg)
{
	for (int i = 1; i < 64; i += 2)
		counts[i] += i;
	usleep(20000);
	return 0;
}

static void threads(int strict)
{
	pthread_t t[3];
	long lost = 0;
	int wrong = 0;
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], 0, counter, (void *)&counts[2 * i]);
	usleep(50000);
	for (int n = 1; n <= 20; n++) {
		shown(run(stores_beside, 0, 0));
		for (int i = 1; i < 64; i += 2)
			wrong += counts[i] != n * i;
	}
	stop = 1;
	for (int i = 0; i < 3; i++) {
		void *n;
		pthread_join(t[i], &n);
		lost += (long)n;
	}
	printf("threads: %d wrong", wrong);
	printf(strict ? ", %ld lost\n" : "\n", lost);
}

static void *spawner(void *arg)
{
	long failed = 0;
	for (int i = 0; i < 20; i++) {
		pid_t pid;
		char *argv[] = { self, "exec", 0 };
		if (posix_spawn(&pid, self, 0, 0, argv, environ))
			failed++;
		else
			failed += shown(pid) != 9;
		failed += posix_spawn(&pid, "/no/such/file", 0, 0, argv, environ) != ENOENT;
	}
	return (void *)failed;
}

static void spawners(void)
{
	pthread_t t[4];
	long failed = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], 0, spawner, 0);
	for (int i = 0; i < 4; i++) {
		void *r;
		pthread_join(t[i], &r);
		failed += (long)r;
	}
	printf("spawners: %ld failed\n", failed);
}

/* What a thread of the parent forks while another one waits. */
static int lingers(void *arg)
{
	usleep(200000);
	word = 21;
	return 4;
}

static void *forker(void *arg)
{
	usleep(50000);
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();
		if (!pid)
			_exit(word == 20 ? 30 + i : 1);
		printf("fork: %d\n", shown(pid));
	}
	return 0;
}

static void forks(void)
{
	pthread_t t;
	word = 20;
	pthread_create(&t, 0, forker, 0);
	int pid = run(lingers, 0, 0);
	int w = word;
	pthread_join(t, 0);
	printf("%d %d\n", w, shown(pid));
}

/* Children of such children. */
static int inner(void *arg)
{
	word = 41;
	buffer[9] = 'i';
	return 5;
}

static int outer(void *arg)
{
	word = 40;
	buffer[8] = 'o';
	int pid = run(inner, 0, 1);
	if (word != 41 || shown(pid) != 5)
		_exit(99);
	pid = fork();
	if (!pid) {
		word = 50;
		buffer[8] = 'f';
		buffer[4096 + 8] = 'f';
		_exit(word == 50 && buffer[9] == 'i' ? 0 : 1);
	}
	if (shown(pid) || word != 41)
		_exit(98);
	buffer[10] = 'p';
	if (!(pid = vfork())) {
		buffer[11] = 'v';
		execl(self, self, "exec", (char *)0);
		_exit(1);
	}
	if (shown(pid) != 9)
		_exit(97);
	return buffer[11] == 'v' ? 6 : 96;
}

static void nested(void)
{
	memset(buffer, '-', sizeof buffer);
	int pid = run(outer, 0, 0);
	printf("nested: %d %.12s %c", word, buffer, buffer[4096 + 8]);
	printf(" %d\n", shown(pid));
}

/* What a child maps is its parent's. */
static char *maps[6];

static int mapper(void *arg)
{
	maps[0] = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(maps[0] + 4090, "a new mapping");
	munmap(maps[1], 4096);
	mprotect(maps[2], 4096, PROT_READ);
	strcpy(maps[3], "gone");
	mmap(maps[3], 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	strcpy(maps[3] + 8, "another");
	strcpy(maps[4], "dropped");
	madvise(maps[4], 2 * 4096, MADV_DONTNEED);
	strcpy(maps[4] + 8, "and new");
	maps[5] = sbrk(3 * 4096);
	strcpy(maps[5] + 4096, "at the end");
	return 0;
}

static int can_write(char *p)
{
	int fd[2], r;
	pipe(fd);
	write(fd[1], "", 1);
	r = read(fd[0], p, 1);
	close(fd[0]), close(fd[1]);
	return r;
}

static void mappings(void)
{
	for (int i = 1; i < 5; i++) {
		maps[i] = mmap(0, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		strcpy(maps[i], "before");
		strcpy(maps[i] + 4096, "behind");
	}
	char *end = sbrk(0);
	shown(run(mapper, 0, 0));
	unsigned char v;
	printf("%s, %d", maps[0] + 4090, mincore(maps[1], 4096, &v) < 0 ? errno == ENOMEM : 0);
	printf(" %d %s", can_write(maps[2]) < 0 ? errno == EFAULT : 0, maps[2] + 4096);
	printf(", <%s> %s, <%s> %s <%s>", maps[3], maps[3] + 8, maps[4], maps[4] + 8, maps[4] + 4096);
	printf(", %d %s %d\n", maps[5] == end, maps[5] + 4096, (int)((char *)sbrk(0) - end));
}

/* Signals while the parent waits. */
static void handler(int s) { handled++; }

static int signals_parent(void *arg)
{
	kill(getppid(), SIGUSR1);
	usleep(100000);
	word = handled;
	signal(SIGUSR2, SIG_IGN);
	return 0;
}

static void signals(void)
{
	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	int pid = run(signals_parent, 0, 0);
	printf("signals: %d %d", word, handled);
	kill(getpid(), SIGUSR2);
	printf(" %d %d\n", handled, shown(pid));
	/* One that ends the parent. */
	if (!(pid = fork())) {
		word = 0;
		int child = run(lingers, 0, 0);
		_exit(1);
	}
	usleep(50000);
	kill(pid, SIGTERM);
	printf("ended: %d\n", shown(pid));
	usleep(250000);
}

static int tids(void *arg) { return syscall(SYS_gettid) == word ? 8 : 9; }

/* The numbers that clone stores. */
static void numbers(void)
{
	int parent = 0, child = 0;
	int pid = clone(tids, stacks[0] + sizeof stacks[0], CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent, 0, &word);
	printf("numbers: %d %d %d\n", parent == pid, word == pid, shown(pid));
	pid = clone(tids, stacks[0] + sizeof stacks[0], CLONE_VM | CLONE_VFORK | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, 0, 0, &word);
	printf("cleared: %d %d\n", word, shown(pid));
	/* It waits, and has a copy. */
	word = 60;
	pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		usleep(50000);
		word = 61;
		_exit(2);
	}
	int status, ended = waitpid(pid, &status, WNOHANG) == pid;
	printf("copy: %d %d\n", word, ended || shown(pid) == 2);
}

static int files(void)
{
	int n = 0;
	for (int i = 0; i < 1000; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1) {
		if (!strcmp(argv[1], "sleep"))
			sleep(1);
		if (!strcmp(argv[1], "threads")) {
			threads(1);
			return 0;
		}
		if (strcmp(argv[1], "order"))
			return 9;
		order();
		return 0;
	}
	setvbuf(stdout, 0, _IONBF, 0);
	int before = files();
	printf("missing: %d\n", spawn("/no/such/file") == ENOENT);
	printf("not to be executed: %d\n", spawn("/etc/passwd") == EACCES);
	printf("%d\n", spawn(self));
	printf("%d\n", spawn("/bin/true"));
	stores();
	order();
	deaths();
	threads(0);
	spawners();
	forks();
	nested();
	mappings();
	signals();
	numbers();
	printf("files: %d\n", files() - before);
	printf("%d\n", waitpid(-1, 0, 0) == -1 && errno == ECHILD);
	printf("done\n");
	return 0;
}
