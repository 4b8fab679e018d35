/* Calls that wait with another mask of signals: a handler runs by it, and the old
   one is there again after it. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int got, seen;
static sigset_t none;
static struct timespec second = {1, 0};
static int epoll;
static aio_context_t context;

static void handler(int sig)
{
	sigset_t now;
	sigprocmask(0, 0, &now);
	got = sig;
	seen = sigismember(&now, SIGURG) * 2 + sigismember(&now, SIGALRM);
}

static int by_ppoll(void) { return ppoll(0, 0, &second, &none); }
static int by_pselect(void) { return pselect(0, 0, 0, 0, &second, &none); }
static int by_suspend(void) { return sigsuspend(&none); }
static int by_epoll(void)
{
	struct epoll_event e;
	return epoll_pwait(epoll, &e, 1, 1000, &none);
}
static int by_events(void)
{
	struct io_event e;
	struct { const sigset_t *mask; size_t size; } m = {&none, 8};
	/* The kernel's own structure of time. */
	long t[2] = {1, 0};
	return syscall(SYS_io_pgetevents, context, 1L, 1L, &e, t, &m);
}

int main(void)
{
	static const struct {
		const char *name;
		int (*wait)(void);
	} calls[] = {{"ppoll", by_ppoll}, {"pselect", by_pselect}, {"sigsuspend", by_suspend}, {"epoll_pwait", by_epoll}, {"io_pgetevents", by_events}};
	static const int signals[] = {SIGALRM, SIGURG, SIGSYS, SIGSEGV, SIGUSR1};
	struct sigaction sa = {.sa_handler = handler};
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, 0);
	epoll = epoll_create1(0);
	syscall(SYS_io_setup, 1, &context);
	for (int i = 0; i < 5; i++)
		sigaction(signals[i], &sa, 0);
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 5; k++) {
			sigset_t now;
			int r;
			got = seen = errno = 0;
			kill(getpid(), signals[k]);
			r = calls[i].wait();
			sigprocmask(0, 0, &now);
			printf("%s %s: %d %s, got %s %d, blocked %d\n", calls[i].name, strsignal(signals[k]), r, strerror(errno), strsignal(got), seen, sigismember(&now, signals[k]));
		}
		got = errno = 0;
		ualarm(20000, 0);
		printf("%s later: %d", calls[i].name, calls[i].wait());
		printf(" %s, got %d\n", strerror(errno), got);
	}
	puts("done");
	return 0;
}
