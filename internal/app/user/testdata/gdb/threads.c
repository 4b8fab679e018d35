#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int watched, other, ready;
double half = 0.5;

static void handler(int sig) { other = sig; }

int __attribute__((noinline)) inner(int n)
{
	other += n;
	return n * 2;
}

int __attribute__((noinline)) outer(int n) { return inner(n) + 1; }

static void *worker(void *arg)
{
	while (!ready)
		usleep(1000);
	outer((int)(long)arg);
	return 0;
}

int main(void)
{
	pthread_t t[3];
	signal(SIGUSR1, handler);
	for (long i = 0; i < 3; i++)
		pthread_create(t + i, 0, worker, (void *)(i + 10));
	int x = outer(1);
	for (int i = 0; i < 1000; i++)
		other = i;
	watched = x;
	x += watched;
	ready = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], 0);
	raise(SIGUSR1);
	if (fork() == 0)
		_exit(outer(5) == 11 ? 0 : 1);
	int status;
	wait(&status);
	printf("done %d %d %g\n", x, status, half);
	fflush(stdout);
	write(1, "waits\n", 6); /* whatever it returns: the interrupt may come before it does */
	while (x == 6)
		usleep(1000);
	return x;
}
