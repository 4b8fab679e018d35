/* Forks of a process whose threads are taking signals: the children get none of them,
   and their own. Forks of one whose threads begin and end. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t self;
static volatile int foreign, own, got;

static void handler(int s)
{
	if (s == SIGUSR2)
		own++;
	else if (getpid() == self)
		got = 1;
	else
		foreign++;
}

static void mask(int how)
{
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigaddset(&m, SIGRTMIN);
	pthread_sigmask(how, &m, 0);
}

static void *busy(void *arg)
{
	mask(SIG_UNBLOCK);
	for (;;)
		;
}

static void *nothing(void *arg) { return arg; }

static void brief(void)
{
	int status, failed = 0;
	pthread_t t;
	pthread_attr_t detached;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 500; i++) {
		for (int k = 0; k < 3; k++)
			pthread_create(&t, &detached, nothing, 0);
		pid_t child = fork();
		if (!child)
			_exit(7);
		waitpid(child, &status, 0);
		failed += !WIFEXITED(status) || WEXITSTATUS(status) != 7;
	}
	printf("%d failed\n", failed);
}

int main(void)
{
	int wrong = 0, i, status;
	pthread_t t;
	brief();
	self = getpid();
	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	signal(SIGRTMIN, handler);
	pid_t sender = fork();
	if (!sender)
		while (!kill(self, SIGUSR1) && !kill(self, SIGRTMIN))
			for (volatile int i = 0; i < 3000; i++)
				;
	mask(SIG_BLOCK);
	for (i = 0; i < 2; i++)
		pthread_create(&t, 0, busy, 0);
	for (i = 0; i < 50; i++) {
		pid_t child = fork();
		if (!child) {
			mask(SIG_UNBLOCK);
			usleep(8000);
			kill(getpid(), SIGUSR2);
			_exit(foreign || own != 1);
		}
		waitpid(child, &status, 0);
		wrong += status != 0;
	}
	kill(sender, SIGKILL);
	printf("%d of 50 children, signals: %d\n", wrong, got);
	puts("done");
	return 0;
}
