/* Calls of message queues, System V's ipc, asynchronous input and output, and
   others, of which the results are printed. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>
#include <netinet/in.h>

static void posix(void)
{
	char name[64], buf[200];
	struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 100}, b;
	struct timespec soon = {1, 0};
	unsigned prio;
	sprintf(name, "/rhea%d", getpid());
	mqd_t q = mq_open(name, O_CREAT | O_RDWR, 0600, &a);
	printf("mq_open %d\n", q >= 0);
	mq_getattr(q, &b);
	printf("%ld %ld %ld\n", (long)b.mq_maxmsg, (long)b.mq_msgsize, (long)b.mq_curmsgs);
	printf("%d %d\n", mq_send(q, "low", 4, 1), mq_send(q, "high", 5, 9));
	printf("%d", (int)mq_receive(q, buf, sizeof buf, &prio));
	printf(" %s %u\n", buf, prio);
	printf("%d", (int)mq_receive(q, buf, sizeof buf, &prio));
	printf(" %s %u\n", buf, prio);
	printf("%d %d\n", (int)mq_timedreceive(q, buf, sizeof buf, &prio, &soon), errno);
	b.mq_flags = O_NONBLOCK;
	printf("%d\n", mq_setattr(q, &b, &a));
	printf("%d %d\n", (int)mq_receive(q, buf, sizeof buf, &prio), errno);
	printf("%d ", mq_unlink(name));
	printf("%d\n", mq_close(q));
}

static void systemv(void)
{
	struct { long type; char text[50]; } m = {7, "text"}, r;
	struct msqid_ds d;
	int q = msgget(IPC_PRIVATE, 0600);
	printf("%d", msgsnd(q, &m, 5, 0));
	m.type = 3;
	strcpy(m.text, "other");
	printf(" %d\n", msgsnd(q, &m, 6, 0));
	printf("%d ", msgctl(q, IPC_STAT, &d));
	printf("%d %d %o %d\n", (int)d.msg_qnum, (int)d.msg_cbytes, d.msg_perm.mode, d.msg_perm.uid == getuid());
	int n = msgrcv(q, &r, 50, -5, 0);
	printf("%d %ld %s\n", n, r.type, r.text);
	n = msgrcv(q, &r, 50, 0, 0);
	printf("%d %ld %s\n", n, r.type, r.text);
	n = msgrcv(q, &r, 50, 0, IPC_NOWAIT);
	printf("%d %d %d\n", n, errno, msgctl(q, IPC_RMID, 0));

	struct shmid_ds s;
	int id = shmget(IPC_PRIVATE, 10000, 0640);
	char *p = shmat(id, 0, 0);
	strcpy(p, "shared");
	if (fork() == 0) {
		strcpy(p + 6, " by a child");
		_exit(0);
	}
	wait(0);
	printf("%s %d ", p, shmctl(id, IPC_STAT, &s));
	printf("%d %d %o\n", (int)s.shm_segsz, (int)s.shm_nattch, s.shm_perm.mode & 0777);
	s.shm_perm.mode = 0600;
	printf("%d ", shmctl(id, IPC_SET, &s));
	printf("%d ", shmctl(id, IPC_STAT, &s));
	printf("%o\n", s.shm_perm.mode & 0777);
	printf("%d %d\n", shmdt(p), shmctl(id, IPC_RMID, 0));

	union { int val; struct semid_ds *buf; unsigned short *array; } u;
	struct semid_ds e;
	unsigned short v[3] = {1, 2, 3};
	struct sembuf op = {1, -2, 0}, no = {1, -1, 0};
	struct timespec t = {0, 20000000};
	id = semget(IPC_PRIVATE, 3, 0600);
	u.array = v;
	printf("%d", semctl(id, 0, SETALL, u));
	printf(" %d", semop(id, &op, 1));
	printf(" %d", semtimedop(id, &no, 1, &t));
	printf(" %d", errno);
	u.buf = &e;
	printf(" %d", semctl(id, 0, IPC_STAT, u));
	printf(" %d %d\n", (int)e.sem_nsems, semctl(id, 2, GETVAL));
	printf("%d\n", semctl(id, 0, IPC_RMID));
}

static void asynchronous(void)
{
	aio_context_t c = 0;
	char name[] = "aioXXXXXX", in[16] = {0};
	int f = mkstemp(name);
	struct iocb w = {.aio_data = 11, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = f, .aio_buf = (unsigned long)"written", .aio_nbytes = 7};
	struct iocb r = {.aio_data = 12, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = f, .aio_buf = (unsigned long)in, .aio_nbytes = 16};
	struct iocb *list[] = {&w}, *next[] = {&r};
	struct io_event e[2];
	struct timespec t = {5, 0};
	printf("%ld", syscall(SYS_io_setup, 8, &c));
	printf(" %ld", syscall(SYS_io_submit, c, 1, list));
	printf(" %ld", syscall(SYS_io_getevents, c, 1, 2, e, &t));
	printf(" %d %d %d\n", (int)e[0].data, (int)e[0].res, e[0].obj == (unsigned long)&w);
	printf("%ld", syscall(SYS_io_submit, c, 1, next));
	printf(" %ld", syscall(SYS_io_getevents, c, 1, 2, e, &t));
	printf(" %d %d %d %s\n", (int)e[0].data, (int)e[0].res, e[0].obj == (unsigned long)&r, in);
	printf("%ld", syscall(SYS_io_destroy, c));
	printf(" %ld %d\n", syscall(SYS_io_destroy, c), errno);
	unlink(name);
}

static void directories(void)
{
	char name[32];
	mkdir("many", 0700);
	for (int i = 0; i < 300; i++) {
		sprintf(name, "many/f%d", i);
		close(creat(name, 0600));
	}
	DIR *d = opendir("many");
	struct dirent *e;
	int n = 0, good = 0;
	long at[310];
	char names[310][32];
	for (at[0] = telldir(d); (e = readdir(d)); at[++n] = telldir(d))
		strcpy(names[n], e->d_name);
	for (int i = 0; i < n; i += 37) {
		seekdir(d, at[i]);
		e = readdir(d);
		good += e && strcmp(e->d_name, names[i]) == 0;
	}
	printf("%d %d\n", n, good);
}

/* A signal that all threads block waits, for whoever asks. */
static void waiting(void)
{
	sigset_t s;
	siginfo_t i;
	struct signalfd_siginfo f;
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	sigaddset(&s, SIGTERM);
	sigprocmask(SIG_BLOCK, &s, 0);
	int fd = signalfd(-1, &s, 0);
	for (int k = 0; k < 50; k++) {
		pid_t p = fork();
		if (p == 0)
			_exit(k);
		if (read(fd, &f, sizeof f) != sizeof f || f.ssi_pid != (unsigned)p || f.ssi_status != k || f.ssi_code != CLD_EXITED)
			printf("signalfd %d: %d %d\n", k, f.ssi_status, f.ssi_code);
		waitpid(p, 0, 0);
		kill(getpid(), SIGTERM);
		if (sigwaitinfo(&s, &i) != SIGTERM || i.si_pid != getpid() || i.si_code != SI_USER)
			printf("sigwaitinfo %d: %d\n", k, i.si_code);
	}
	printf("waited\n");
}

static void interfaces(void)
{
	struct { struct ifreq r; char behind[8]; } x = {.behind = "intact"};
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	strcpy(x.r.ifr_name, "lo");
	printf("%d", ioctl(s, SIOCGIFINDEX, &x.r));
	printf(" %d %s", x.r.ifr_ifindex, x.behind);
	printf(" %d %s\n", ioctl(s, SIOCGIFFLAGS, &x.r), x.behind);
}

/* What is executed is told how. */
static int executed(const char *how)
{
	char exe[256] = "";
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	readlink("/proc/self/exe", exe, sizeof exe - 1);
	while (readdir(d))
		n++;
	printf("%s: %s, %d descriptors\n", how, strrchr(exe, '/'), n);
	return 0;
}

/* By descriptors that are closed by it. */
static void execution(void)
{
	static const char *const how[] = {"close-on-exec", "a path", "memory", "a script"};
	for (int i = 0; i < 4; i++) {
		char *argv[] = {"again", i < 3 ? (char *)how[i] : 0, 0}, *envp[] = {0};
		int status, self = open("/proc/self/exe", O_RDONLY), fd = open("/proc/self/exe", i == 1 ? O_PATH | O_CLOEXEC : O_CLOEXEC);
		if (i >= 2) {
			fd = memfd_create("program", i == 2 ? MFD_CLOEXEC : 0);
			if (i == 2)
				while (sendfile(fd, self, 0, 1 << 20) > 0)
					;
			else
				dprintf(fd, "#!/bin/cat\n");
		}
		close(self);
		if (!fork()) {
			if (i == 0) /* a standard stream is closed, or closed by it */
				close(0);
			fcntl(2, F_SETFD, i == 1);
			fexecve(fd, argv, envp);
			printf("%s: %d\n", how[i], errno);
			_exit(1);
		}
		wait(&status);
		printf("%d\n", status);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IONBF, 0);
	if (argc > 1)
		return executed(argv[1]);
	execution();
	posix();
	systemv();
	asynchronous();
	directories();
	waiting();
	interfaces();
	return 0;
}
