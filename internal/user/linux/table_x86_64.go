package linux

// x8664Names are the names by which other tables know calls of x86_64: where
// i386 has one of 16-bit numbers, or of arguments in memory, under the same name.
func x8664Names() map[string]string {
	m := map[string]string{
		"mmap": "mmap_offset", "select": "_newselect", "newfstatat": "fstatat64",
		"fadvise64": "fadvise64_whole", "pread64": "pread64_whole", "pwrite64": "pwrite64_whole", "readahead": "readahead_whole",
		"fallocate": "fallocate_whole", "sync_file_range": "sync_file_range_whole", "clone": "clone_tls_last",
		"getrlimit": "ugetrlimit", "semtimedop": "semtimedop_time64",
		"clock_gettime": "clock_gettime64", "clock_settime": "clock_settime64", "clock_getres": "clock_getres_time64",
		"clock_nanosleep": "clock_nanosleep_time64", "timer_gettime": "timer_gettime64", "timer_settime": "timer_settime64",
		"timerfd_gettime": "timerfd_gettime64", "timerfd_settime": "timerfd_settime64", "utimensat": "utimensat_time64",
		"sched_rr_get_interval": "sched_rr_get_interval_time64", "sendfile": "sendfile64",
	}
	for _, n := range []string{"chown", "lchown", "fchown", "setuid", "setgid", "getuid", "getgid", "geteuid", "getegid", "setreuid", "setregid",
		"getgroups", "setgroups", "setresuid", "getresuid", "setresgid", "getresgid", "setfsuid", "setfsgid"} {
		m[n] = n + "32"
	}
	return m
}

// x8664Calls are the system calls of x86_64 (arch/x86/entry/syscalls/syscall_64.tbl).
// Numbers that are not here do not exist, or are obsolete: ENOSYS.
const x8664Calls = `
0 read pass fd,out:3,size
1 write pass fd,in:3,size
2 open conv path,oflags,mode
3 close conv fd
4 stat conv path,ptr
5 fstat conv fd,ptr
6 lstat conv path,ptr
7 poll conv ptr,uint,int
8 lseek conv fd,long,int
9 mmap conv ptr,size,mprot,mflags,fd,size
10 mprotect conv ptr,size,mprot
11 munmap conv ptr,size
12 brk conv ptr
13 rt_sigaction conv sig,ptr,ptr,size
14 rt_sigprocmask conv int,ptr,ptr,size
15 rt_sigreturn conv
16 ioctl part fd,hex,ptr ; those with pointers in their structures are converted for interfaces, routes and block devices only
17 pread64 conv fd,ptr,size,long
18 pwrite64 conv fd,ptr,size,long
19 readv conv fd,ptr,int
20 writev conv fd,ptr,int
21 access pass path,mode
22 pipe pass out
23 select conv int,ptr,ptr,ptr,ptr
24 sched_yield pass
25 mremap conv ptr,size,size,hex,ptr
26 msync conv ptr,size,int
27 mincore conv ptr,size,out
28 madvise conv ptr,size,int
29 shmget pass int,size,hex
30 shmat conv int,ptr,hex
31 shmctl conv int,int,ptr
32 dup quick fd
33 dup2 conv fd,fd
34 pause pass
35 nanosleep conv ptr,ptr
36 getitimer conv int,ptr
37 alarm quick uint
38 setitimer conv int,ptr,ptr
39 getpid quick
40 sendfile pass fd,fd,out,size
41 socket pass int,int,int
42 connect pass fd,ptr,size
43 accept conv fd,ptr,ptr
44 sendto pass fd,in,size,hex,ptr,size
45 recvfrom pass fd,out:3,size,hex,out,out
46 sendmsg conv fd,ptr,hex
47 recvmsg conv fd,ptr,hex
48 shutdown pass fd,int
49 bind pass fd,ptr,size
50 listen pass fd,int
51 getsockname pass fd,out,out
52 getpeername pass fd,out,out
53 socketpair pass int,int,int,out
54 setsockopt conv fd,int,int,ptr,size
55 getsockopt conv fd,int,int,ptr,ptr
56 clone part hex,ptr,ptr,ptr,ptr ; CLONE_VM of a process: as vfork with CLONE_VFORK, without a copy, or ENOSYS if its end sends no signal; no CLONE_SIGHAND without CLONE_THREAD
57 fork conv
58 vfork part ; the child does not see what the parent's other threads store meanwhile, nor the parent what it maps of files or shared; RHEA_FORK=exec: it has a copy of the memory
59 execve conv path,argv,argv
60 exit conv int
61 wait4 conv pid,ptr,hex,ptr
62 kill pass pid,sig
63 uname conv ptr
64 semget pass int,int,hex
65 semop pass int,ptr,size
66 semctl conv int,int,int,ptr
67 shmdt conv ptr
68 msgget pass int,hex
69 msgsnd conv int,in,size,hex
70 msgrcv conv int,out,size,long,hex
71 msgctl conv int,int,ptr
72 fcntl conv fd,int,ptr
73 flock pass fd,int
74 fsync pass fd
75 fdatasync pass fd
76 truncate pass path,long
77 ftruncate pass fd,long
78 getdents conv fd,ptr,size
79 getcwd conv ptr,size
80 chdir pass str
81 fchdir pass fd
82 rename pass path,path
83 mkdir pass path,mode
84 rmdir pass path
85 creat conv path,mode
86 link pass path,path
87 unlink pass path
88 symlink pass str,path
89 readlink conv path,ptr,size
90 chmod pass path,mode
91 fchmod pass fd,mode
92 chown pass path,int,int
93 fchown pass fd,int,int
94 lchown pass path,int,int
95 umask quick mode
96 gettimeofday conv ptr,ptr
97 getrlimit conv int,ptr
98 getrusage conv int,ptr
99 sysinfo conv ptr
100 times conv ptr
101 ptrace no int,pid,ptr,ptr
102 getuid quick
103 syslog pass int,out:3,size
104 getgid quick
105 setuid quick int
106 setgid quick int
107 geteuid quick
108 getegid quick
109 setpgid quick pid,pid
110 getppid quick
111 getpgrp quick
112 setsid quick
113 setreuid quick int,int
114 setregid quick int,int
115 getgroups quick int,out
116 setgroups quick int,ptr
117 setresuid quick int,int,int
118 getresuid quick out,out,out
119 setresgid quick int,int,int
120 getresgid quick out,out,out
121 getpgid quick pid
122 setfsuid quick int
123 setfsgid quick int
124 getsid quick pid
125 capget pass ptr,out
126 capset pass ptr,ptr
127 rt_sigpending conv ptr,size
128 rt_sigtimedwait conv ptr,ptr,ptr,size
129 rt_sigqueueinfo conv pid,sig,ptr
130 rt_sigsuspend conv ptr,size
131 sigaltstack conv ptr,ptr
132 utime conv path,ptr
133 mknod pass path,mode,hex
135 personality quick hex
137 statfs conv path,ptr
138 fstatfs conv fd,ptr
140 getpriority quick int,int
141 setpriority quick int,int,int
142 sched_setparam quick pid,ptr
143 sched_getparam quick pid,out
144 sched_setscheduler quick pid,int,ptr
145 sched_getscheduler quick pid
146 sched_get_priority_max quick int
147 sched_get_priority_min quick int
148 sched_rr_get_interval pass pid,out
149 mlock conv ptr,size
150 munlock conv ptr,size
151 mlockall conv hex
152 munlockall conv
153 vhangup pass
154 modify_ldt no int,ptr,size
155 pivot_root pass path,path
157 prctl part int,ptr,ptr,ptr,ptr ; no seccomp, no changes of the memory map
158 arch_prctl conv int,ptr
159 adjtimex conv ptr
160 setrlimit conv int,ptr
161 chroot pass path
162 sync pass
163 acct pass path
164 settimeofday conv ptr,ptr
165 mount pass path,path,str,hex,ptr
166 umount2 pass path,hex
168 swapoff pass path
169 reboot pass hex,hex,hex,ptr
170 sethostname pass str,size
171 setdomainname pass str,size
172 iopl no
173 ioperm no
179 quotactl no
186 gettid conv
187 readahead conv fd,long,size
188 setxattr pass path,str,in,size,int
189 lsetxattr pass path,str,in,size,int
190 fsetxattr pass fd,str,in,size,int
191 getxattr pass path,str,out:4,size
192 lgetxattr pass path,str,out:4,size
193 fgetxattr pass fd,str,out:4,size
194 listxattr pass path,out:3,size
195 llistxattr pass path,out:3,size
196 flistxattr pass fd,out:3,size
197 removexattr pass path,str
198 lremovexattr pass path,str
199 fremovexattr pass fd,str
200 tkill conv pid,sig
201 time conv ptr
202 futex conv ptr,int,uint,ptr,ptr,uint
203 sched_setaffinity conv pid,size,ptr
204 sched_getaffinity conv pid,size,ptr
206 io_setup conv uint,ptr
207 io_destroy conv ptr
208 io_getevents conv ptr,long,long,ptr,ptr
209 io_submit conv ptr,long,ptr
210 io_cancel conv ptr,ptr,ptr
213 epoll_create quick int
216 remap_file_pages no
217 getdents64 conv fd,ptr,size
218 set_tid_address conv ptr
219 restart_syscall conv
220 semtimedop pass int,ptr,size,ptr
221 fadvise64 conv fd,long,size,int
222 timer_create conv int,ptr,ptr
223 timer_settime pass int,hex,ptr,out
224 timer_gettime pass int,out
225 timer_getoverrun quick int
226 timer_delete quick int
227 clock_settime pass int,ptr
228 clock_gettime quick int,out
229 clock_getres quick int,out
230 clock_nanosleep pass int,hex,ptr,out
231 exit_group conv int
232 epoll_wait pass fd,out,int,int
233 epoll_ctl quick fd,int,fd,ptr
234 tgkill conv pid,pid,sig
235 utimes conv path,ptr
240 mq_open conv str,oflags,mode,ptr
241 mq_unlink pass str
242 mq_timedsend conv fd,in,size,uint,ptr
243 mq_timedreceive conv fd,out:3,size,out,ptr
244 mq_notify conv fd,ptr
245 mq_getsetattr conv fd,ptr,out
247 waitid conv int,pid,ptr,hex,ptr
248 add_key no
249 request_key no
250 keyctl no
251 ioprio_set quick int,int,int
252 ioprio_get quick int,int
253 inotify_init quick
254 inotify_add_watch pass fd,path,hex
255 inotify_rm_watch quick fd,int
257 openat conv fd,path,oflags,mode
258 mkdirat pass fd,path,mode
259 mknodat pass fd,path,mode,hex
260 fchownat pass fd,path,int,int,hex
261 futimesat conv fd,path,ptr
262 newfstatat conv fd,path,ptr,hex
263 unlinkat pass fd,path,hex
264 renameat pass fd,path,fd,path
265 linkat pass fd,path,fd,path,hex
266 symlinkat pass str,fd,path
267 readlinkat conv fd,path,ptr,size
268 fchmodat pass fd,path,mode
269 faccessat pass fd,path,mode
270 pselect6 conv int,ptr,ptr,ptr,ptr,ptr
271 ppoll conv ptr,uint,ptr,ptr,size
272 unshare part hex ; not of users: the process has threads of the runtime's
273 set_robust_list conv ptr,size
274 get_robust_list conv pid,ptr,ptr
275 splice pass fd,out,fd,out,size,hex
276 tee pass fd,fd,size,hex
277 sync_file_range conv fd,long,long,hex
278 vmsplice conv fd,ptr,size,hex
279 move_pages no
280 utimensat pass fd,path,ptr,hex
281 epoll_pwait conv fd,ptr,int,int,ptr,size
282 signalfd conv fd,ptr,size
283 timerfd_create quick int,hex
284 eventfd quick uint
285 fallocate conv fd,int,long,long
286 timerfd_settime pass fd,hex,ptr,out
287 timerfd_gettime pass fd,out
288 accept4 pass fd,out,out,hex
289 signalfd4 conv fd,ptr,size,hex
290 eventfd2 quick uint,hex
291 epoll_create1 quick hex
292 dup3 conv fd,fd,hex
293 pipe2 pass out,hex
294 inotify_init1 quick hex
295 preadv conv fd,ptr,int,lo,hi
296 pwritev conv fd,ptr,int,lo,hi
297 rt_tgsigqueueinfo conv pid,pid,sig,ptr
298 perf_event_open no
299 recvmmsg conv fd,ptr,uint,hex,ptr
302 prlimit64 conv pid,int,ptr,ptr
303 name_to_handle_at pass fd,path,out,out,hex
304 open_by_handle_at pass fd,ptr,oflags
305 clock_adjtime no
306 syncfs pass fd
307 sendmmsg conv fd,ptr,uint,hex
308 setns pass fd,hex
309 getcpu quick out,out,ptr
310 process_vm_readv no
311 process_vm_writev no
312 kcmp conv pid,pid,int,hex,hex
314 sched_setattr pass pid,ptr,hex
315 sched_getattr pass pid,out:3,size,hex
316 renameat2 pass fd,path,fd,path,hex
317 seccomp no
318 getrandom pass out:2,size,hex
319 memfd_create pass str,hex
321 bpf no
322 execveat conv fd,path,argv,argv,hex
323 userfaultfd no
324 membarrier pass int,hex,int
325 mlock2 conv ptr,size,hex
326 copy_file_range pass fd,out,fd,out,size,hex
327 preadv2 conv fd,ptr,int,lo,hi,hex
328 pwritev2 conv fd,ptr,int,lo,hi,hex
329 pkey_mprotect no
330 pkey_alloc no
331 pkey_free no
332 statx conv fd,path,hex,hex,ptr
333 io_pgetevents conv ptr,long,long,ptr,ptr,ptr
334 rseq no
424 pidfd_send_signal conv fd,sig,ptr,hex
425 io_uring_setup no
426 io_uring_enter no
427 io_uring_register no
434 pidfd_open pass pid,hex
435 clone3 part ptr,size ; as clone; no cgroup, no numbers of the child's
436 close_range conv fd,fd,hex
437 openat2 conv fd,path,ptr,size
438 pidfd_getfd pass fd,fd,hex
439 faccessat2 pass fd,path,mode,hex
441 epoll_pwait2 conv fd,ptr,int,ptr,ptr,size
449 futex_waitv conv ptr,uint,hex,ptr,int
451 cachestat pass fd,in,out,hex
452 fchmodat2 pass fd,path,mode,hex
468 file_getattr pass fd,path,out:4,size,hex
469 file_setattr pass fd,path,in,size,hex
`
