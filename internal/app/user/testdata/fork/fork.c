// What a child of a fork has of its parent: memory of all kinds, registers,
// signals, descriptors, a thread's own variables.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;
#define check(x) do { if (!(x)) { printf("wrong, line %d: %s\n", __LINE__, #x); fflush(stdout); bad = 1; } } while (0)

static __thread int own = 1;
static int initialized = 5;
static volatile sig_atomic_t got;
static char *altstack;

static void handler(int s) { char here; got = &here >= altstack && &here < altstack + 65536 ? s : -s; }

static void child(char *anon, char *shared, char *file, char *filep, char *segment, char *none, double f, int fds[2], int depth) {
	check(own == 7 && initialized == 6);
	check(anon[0] == 'a' && anon[5 << 20] == 'b' && anon[4096] == 0);
	check(filep[0] == 'P' && filep[1] == 'i' && filep[8192] == 'i');
	check(none[4096] == 'n');
	check(f == 1.0 / 3);
	check(fcntl(fds[0], F_GETFD) == FD_CLOEXEC && fcntl(fds[1], F_GETFD) == 0);
	sigset_t m;
	sigprocmask(SIG_SETMASK, 0, &m);
	check(sigismember(&m, SIGUSR2) && !sigismember(&m, SIGUSR1));
	kill(getpid(), SIGUSR1);
	check(got == SIGUSR1);
	stack_t st;
	sigaltstack(0, &st);
	check(st.ss_sp == altstack && st.ss_size == 65536);
	check(mprotect(none, 4096, PROT_READ) == 0 && none[0] == 0);
	check(sbrk(0) != (void *)-1 && brk(sbrk(0) + 8192) == 0);
	shared[depth]++;
	segment[depth]++;
	file[depth]++;
	anon[0] = 'c';
	own = 8;
	exit(bad ? 1 : 40 + depth);
}

static void *thread(void *p) {
	char **a = p;
	own = 7;
	pid_t pid = fork();
	if (pid == 0) {
		// The child's only thread: it can have more.
		own = 7;
		check(getpid() == gettid());
		exit(bad ? 1 : 33);
	}
	int s;
	check(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 33);
	a[0][1] = 't';
	return 0;
}

static volatile pid_t alarmed;

static void ring(int s) { alarmed = getpid(); }

// Signals of the parent's come to no child.
static void storm(void) {
	struct sigaction sa = {.sa_handler = ring, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &sa, 0);
	struct itimerval often = {{0, 50}, {0, 50}}, never = {};
	int alien = 0;
	for (int i = 0; i < 200; i++) {
		setitimer(ITIMER_REAL, &often, 0);
		pid_t pid = fork();
		if (pid == 0) {
			for (int j = 0; j < 20; j++)
				getppid();
			_exit(alarmed == getpid());
		}
		setitimer(ITIMER_REAL, &never, 0);
		int s;
		check(waitpid(pid, &s, 0) == pid && WIFEXITED(s));
		alien += WEXITSTATUS(s);
	}
	if (alien)
		printf("wrong: %d children took an alarm\n", alien);
	check(alarmed == getpid());
}

static int cloned(void *p) { return *(int *)p; }

int main(int argc, char **argv) {
	own = 7, initialized = 6;
	char *anon = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	anon[0] = 'a', anon[5 << 20] = 'b';
	int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0666);
	char b[12288];
	memset(b, 'i', sizeof b);
	check(write(fd, b, sizeof b) == sizeof b);
	char *file = mmap(0, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *filep = mmap(0, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	filep[0] = 'P';
	memset(file, 0, 16);
	filep[1] = 'i';
	char *shared = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int id = shmget(IPC_PRIVATE, 8192, 0600);
	char *segment = shmat(id, 0, 0);
	shmctl(id, IPC_RMID, 0);
	char *none = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	none[4096] = 'n';
	mprotect(none, 4096, PROT_NONE);
	mprotect(none + 4096, 4096, PROT_READ);
	altstack = malloc(65536);
	stack_t st = {.ss_sp = altstack, .ss_size = 65536};
	sigaltstack(&st, 0);
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	sigaction(SIGUSR1, &sa, 0);
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGUSR2);
	sigprocmask(SIG_BLOCK, &m, 0);
	int fds[2];
	check(pipe2(fds, O_CLOEXEC) == 0);
	fcntl(fds[1], F_SETFD, 0);
	volatile double f = 1.0 / 3;
	for (int depth = 0; depth < 3; depth++) { // a child, its child, its child
		pid_t pid = fork();
		if (pid == 0) {
			if (depth < 2) {
				pid_t next = fork();
				if (next == 0)
					child(anon, shared, file, filep, segment, none, f, fds, depth);
				int s;
				check(waitpid(next, &s, 0) == next && WIFEXITED(s) && WEXITSTATUS(s) == 40 + depth);
				exit(bad ? 1 : 30);
			}
			child(anon, shared, file, filep, segment, none, f, fds, depth);
		}
		int s;
		check(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == (depth < 2 ? 30 : 42));
	}
	check(shared[0] == 1 && shared[2] == 1 && segment[1] == 1 && file[0] == 1 && file[2] == 1);
	check(anon[0] == 'a' && own == 7 && got == 0);
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], 0, thread, &anon);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], 0);
	check(anon[1] == 't');
	static char stack[65536];
	int status = 21, s;
	pid_t pid = clone(cloned, stack + sizeof stack, SIGCHLD, &status);
	check(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 21);
	storm();
	puts("done");
	return bad;
}
