/* Each signal in each way that one can come, and what a program learns of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int came, code, from, value, count;

static void handler(int sig, siginfo_t *i, void *u)
{
	came = sig * (i->si_signo == sig), code = i->si_code, from = i->si_pid, value = i->si_value.sival_int;
	count++;
}

static void show(const char *how, int sender)
{
	for (int i = 0; i < 2000 && !count; i++) /* by another process: not at once */
		usleep(1000);
	printf(" %s %d code %d from %d times %d", how, came, code, sender ? from == sender : value, count);
	came = code = from = value = count = 0;
}

/* by has a child run what sends. */
static int by(int sig, int how)
{
	int parent = getpid(), tid = syscall(SYS_gettid), p = fork();
	union sigval v = {.sival_int = 77};
	if (p == 0) {
		if (how == 0)
			kill(parent, sig);
		else if (how == 1)
			syscall(SYS_tgkill, parent, tid, sig);
		else
			sigqueue(parent, sig, v);
		_exit(0);
	}
	return p;
}

static void *idle(void *p)
{
	for (;;)
		pause();
	return p;
}

static void one(int sig)
{
	struct sigaction a = {.sa_flags = SA_SIGINFO | SA_RESTART}, old;
	union sigval v = {.sival_int = 55};
	sigset_t set, was, pend;
	siginfo_t i;
	pthread_t th;
	int p, st;

	printf("%d:", sig);
	a.sa_sigaction = handler;
	printf(" %d", sigaction(sig, &a, &old));
	printf(" was %d", old.sa_handler == SIG_DFL);
	kill(getpid(), sig), show("kill", getpid());
	raise(sig), show("raise", getpid());
	syscall(SYS_tkill, syscall(SYS_gettid), sig), show("tkill", getpid());
	sigqueue(getpid(), sig, v), show("sigqueue", 0);
	for (int how = 0; how < 3; how++) {
		p = by(sig, how);
		while (waitpid(p, &st, 0) < 0 && errno == EINTR)
			;
		if (sig == SIGCHLD)
			usleep(20000), came = code = from = value = count = 0;
		else
			show("child", how < 2 ? p : 0);
	}
	timer_t timer;
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig, .sigev_value = {.sival_int = 33}};
	struct itimerspec ts = {.it_value = {.tv_nsec = 1000000}};
	timer_create(CLOCK_MONOTONIC, &e, &timer);
	timer_settime(timer, 0, &ts, 0);
	show("timer", 0);
	timer_delete(timer);

	/* Blocked: it is pending, and comes when it is no longer blocked. */
	sigemptyset(&set), sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, &was);
	kill(getpid(), sig), sigqueue(getpid(), sig, v);
	sigpending(&pend);
	printf(" pending %d %d", sigismember(&pend, sig), count > 0);
	sigprocmask(SIG_SETMASK, &was, 0);
	show("unblocked", getpid());

	/* Waited for, with its default. */
	signal(sig, SIG_DFL);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, &was);
	sigemptyset(&set), sigaddset(&set, sig);
	sigqueue(getpid(), sig, v);
	memset(&i, 0, sizeof i);
	p = sigwaitinfo(&set, &i);
	printf(" sigwaitinfo %d %d %d %d", p, i.si_signo, i.si_code, i.si_value.sival_int);
	sigprocmask(SIG_SETMASK, &was, 0);

	/* Another thread. */
	a.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(sig, &a, 0);
	pthread_create(&th, 0, idle, 0);
	pthread_kill(th, sig), show("thread", getpid());
	signal(sig, SIG_DFL);
	pthread_cancel(th);
	pthread_join(th, 0);

	/* What the default does, and how a program without handlers ends. */
	if ((p = fork()) == 0) {
		kill(getpid(), sig);
		_exit(3);
	}
	waitpid(p, &st, WUNTRACED);
	printf(" default %x", st & ~0x80);
	if (WIFSTOPPED(st))
		kill(p, SIGKILL), waitpid(p, &st, 0);
	memset(&i, 0, sizeof i);
	if ((p = fork()) == 0) {
		signal(sig, SIG_IGN);
		kill(getpid(), sig);
		_exit(4);
	}
	waitid(P_PID, p, &i, WEXITED);
	printf(" ignored %d %d\n", i.si_code, i.si_status);
}

/* blocked says what a program that is executed finds. */
static void blocked(char *self)
{
	sigset_t set;
	sigemptyset(&set);
	for (int sig = 16; sig <= 64; sig += 1)
		if (sig == SIGURG || sig == SIGPROF || sig == SIGSYS || sig == 16 || sig >= 63)
			sigaddset(&set, sig);
	sigaddset(&set, SIGSEGV), sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, 0);
	signal(SIGUSR1, SIG_IGN), signal(64, SIG_IGN);
	execl(self, self, "blocked", (char *)0);
}

static void *waiter(void *set)
{
	int sig;
	sigwait(set, &sig);
	return (void *)(long)sig;
}

/* All threads block a signal that is sent to the process, and one waits for
   it; the thread is new each time, and so are some that the guest has not. */
static void waited(void)
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGCHLD, SIGINT, SIGQUIT, SIGABRT, SIGUSR1};
	sigset_t all, old;
	int got = 0;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int i = 0; i < 42; i++) {
		pthread_t t;
		sigset_t set;
		void *result;
		int sig = signals[i % 7];
		sigemptyset(&set), sigaddset(&set, sig);
		pthread_create(&t, 0, waiter, &set);
		usleep(1000);
		if (sig != SIGCHLD)
			kill(getpid(), sig);
		else if (fork() == 0)
			_exit(0);
		pthread_join(t, &result);
		got += (long)result == sig;
		while (waitpid(-1, 0, WNOHANG) > 0)
			;
	}
	sigprocmask(SIG_SETMASK, &old, 0);
	printf("waited for %d\n", got);
}

static int together[65];

static void counted(int sig, siginfo_t *i, void *u)
{
	together[sig] += i->si_code == SI_USER;
	count++;
}

/* Many that come at once, of those that a process may never block for itself. */
static void many(void)
{
	static const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTERM, SIGUSR1};
	struct sigaction a = {.sa_flags = SA_SIGINFO, .sa_sigaction = counted};
	pid_t me = getpid();
	const int n = sizeof signals / sizeof *signals;
	count = 0;
	for (int i = 0; i < n; i++)
		sigaction(signals[i], &a, 0);
	if (fork() == 0) {
		kill(me, SIGSTOP), usleep(20000);
		for (int i = 0; i < n; i++)
			kill(me, signals[i]);
		kill(me, SIGCONT);
		_exit(0);
	}
	for (int i = 0; i < 5000 && count < n; i++)
		usleep(1000);
	for (int i = 0; i < n; i++)
		printf("%d: %d\n", signals[i], together[signals[i]]), signal(signals[i], SIG_DFL);
	wait(0);
}

static volatile int over;
static _Atomic int taken[2], ready;
static __thread int which;

static void taker(int sig) { taken[which]++; }

static void *masker(void *n)
{
	sigset_t all, old;
	which = (long)n;
	ready++;
	sigfillset(&all);
	while (!over) {
		sigprocmask(SIG_SETMASK, &all, &old);
		sigprocmask(SIG_SETMASK, &old, 0);
	}
	return 0;
}

/* Signals for two threads that block them again and again: each takes its own. */
static void directed(void)
{
	struct sigaction a = {.sa_handler = taker};
	pthread_t t[2];
	int lost = 0;
	sigaction(SIGUSR1, &a, 0), sigaction(SIGURG, &a, 0);
	for (long i = 0; i < 2; i++)
		pthread_create(&t[i], 0, masker, (void *)i);
	while (ready < 2)
		usleep(1000);
	for (int n = 1; n <= 200 && !lost; n++) {
		for (int i = 0; i < 2; i++)
			pthread_kill(t[i], n & 1 ? SIGUSR1 : SIGURG);
		for (int i = 0; i < 5000 && (taken[0] < n || taken[1] < n); i++)
			i < 100 ? sched_yield() : usleep(1000);
		lost = taken[0] != n || taken[1] != n;
	}
	printf("directed: lost %d\n", lost);
	over = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	signal(SIGUSR1, SIG_DFL), signal(SIGURG, SIG_DFL);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IONBF, 0);
	if (argc > 1) {
		sigset_t set;
		struct sigaction a;
		sigprocmask(SIG_SETMASK, 0, &set);
		for (int sig = 1; sig <= 64; sig++) {
			sigaction(sig, 0, &a);
			if (sigismember(&set, sig) > 0 || a.sa_handler == SIG_IGN)
				printf("%d %d %d\n", sig, sigismember(&set, sig), a.sa_handler == SIG_IGN);
		}
		return 0;
	}
	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && (sig < 32 || sig >= SIGRTMIN))
			one(sig);
	/* Of two that share what carries them, one blocked. */
	struct sigaction a = {.sa_flags = SA_SIGINFO, .sa_sigaction = handler};
	sigset_t set;
	sigaction(SIGSYS, &a, 0), sigaction(SIGURG, &a, 0);
	sigemptyset(&set), sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, 0);
	kill(getpid(), SIGSYS), usleep(2000);
	printf("%d", count);
	kill(getpid(), SIGURG), show("urgent", getpid());
	sigprocmask(SIG_UNBLOCK, &set, 0), show("unblocked", getpid());
	printf("\n");
	signal(SIGSYS, SIG_DFL), signal(SIGURG, SIG_DFL);
	if (fork() == 0)
		blocked(argv[0]);
	wait(0);
	waited();
	many();
	directed();
	printf("done\n");
	return 0;
}
