package linux

// i386Calls are the system calls of i386 (arch/x86/entry/syscalls/syscall_32.tbl).
// Numbers that are not here do not exist, or are obsolete: ENOSYS.
const i386Calls = `
0 restart_syscall conv
1 exit conv int
2 fork conv
3 read pass fd,out:3,size
4 write pass fd,in:3,size
5 open conv path,oflags,mode
6 close conv fd
7 waitpid conv pid,ptr,hex
8 creat conv path,mode
9 link pass path,path
10 unlink pass path
11 execve conv path,argv,argv
12 chdir pass str
13 time conv ptr
14 mknod pass path,mode,hex
15 chmod pass path,mode
16 lchown conv path,int,int
19 lseek conv fd,long,int
20 getpid quick
21 mount pass path,path,str,hex,ptr
22 umount conv path
23 setuid conv int
24 getuid conv
25 stime conv ptr
26 ptrace no int,pid,ptr,ptr
27 alarm quick uint
29 pause pass
30 utime conv path,ptr
33 access pass path,mode
34 nice conv int
36 sync pass
37 kill pass pid,sig
38 rename pass path,path
39 mkdir pass path,mode
40 rmdir pass path
41 dup quick fd
42 pipe pass out
43 times conv ptr
45 brk conv ptr
46 setgid conv int
47 getgid conv
48 signal conv sig,ptr
49 geteuid conv
50 getegid conv
51 acct pass path
52 umount2 pass path,hex
54 ioctl part fd,hex,ptr ; those with pointers or longs in their structures are converted for terminals, interfaces, routes and block devices only
55 fcntl conv fd,int,ptr
57 setpgid quick pid,pid
60 umask quick mode
61 chroot pass path
63 dup2 conv fd,fd
64 getppid quick
65 getpgrp quick
66 setsid quick
67 sigaction conv sig,ptr,ptr
68 sgetmask conv
69 ssetmask conv hex
70 setreuid conv int,int
71 setregid conv int,int
72 sigsuspend conv hex,hex,hex
73 sigpending conv ptr
74 sethostname pass str,size
75 setrlimit conv int,ptr
76 getrlimit conv int,ptr
77 getrusage conv int,ptr
78 gettimeofday conv ptr,ptr
79 settimeofday conv ptr,ptr
80 getgroups conv int,ptr
81 setgroups conv int,ptr
82 select conv ptr
83 symlink pass str,path
85 readlink conv path,ptr,size
88 reboot pass hex,hex,hex,ptr
89 readdir conv fd,ptr,uint
90 mmap conv ptr
91 munmap conv ptr,size
92 truncate pass path,long
93 ftruncate pass fd,long
94 fchmod pass fd,mode
95 fchown conv fd,int,int
96 getpriority quick int,int
97 setpriority quick int,int,int
99 statfs conv path,ptr
100 fstatfs conv fd,ptr
101 ioperm no
102 socketcall conv int,ptr
103 syslog pass int,out:3,size
104 setitimer conv int,ptr,ptr
105 getitimer conv int,ptr
106 stat conv path,ptr
107 lstat conv path,ptr
108 fstat conv fd,ptr
110 iopl no
111 vhangup pass
114 wait4 conv pid,ptr,hex,ptr
115 swapoff pass path
116 sysinfo conv ptr
117 ipc conv uint,int,int,int,ptr
118 fsync pass fd
119 sigreturn conv
120 clone part hex,ptr,ptr,ptr,ptr ; CLONE_VM of a process: as vfork with CLONE_VFORK, without a copy, or ENOSYS if its end sends no signal; no CLONE_SIGHAND without CLONE_THREAD
121 setdomainname pass str,size
122 uname conv ptr
123 modify_ldt conv int,ptr,size
124 adjtimex conv ptr
125 mprotect conv ptr,size,mprot
126 sigprocmask conv int,ptr,ptr
131 quotactl no
132 getpgid quick pid
133 fchdir pass fd
136 personality quick hex
138 setfsuid conv int
139 setfsgid conv int
140 _llseek conv fd,hi,lo,ptr,int
141 getdents conv fd,ptr,size
142 _newselect conv int,ptr,ptr,ptr,ptr
143 flock pass fd,int
144 msync conv ptr,size,int
145 readv conv fd,ptr,int
146 writev conv fd,ptr,int
147 getsid quick pid
148 fdatasync pass fd
150 mlock conv ptr,size
151 munlock conv ptr,size
152 mlockall conv hex
153 munlockall conv
154 sched_setparam quick pid,ptr
155 sched_getparam quick pid,out
156 sched_setscheduler quick pid,int,ptr
157 sched_getscheduler quick pid
158 sched_yield pass
159 sched_get_priority_max quick int
160 sched_get_priority_min quick int
161 sched_rr_get_interval conv pid,ptr
162 nanosleep conv ptr,ptr
163 mremap conv ptr,size,size,hex,ptr
164 setresuid conv int,int,int
165 getresuid conv ptr,ptr,ptr
168 poll conv ptr,uint,int
170 setresgid conv int,int,int
171 getresgid conv ptr,ptr,ptr
172 prctl part int,ptr,ptr,ptr,ptr ; no seccomp, no changes of the memory map
173 rt_sigreturn conv
174 rt_sigaction conv sig,ptr,ptr,size
175 rt_sigprocmask conv int,ptr,ptr,size
176 rt_sigpending conv ptr,size
177 rt_sigtimedwait conv ptr,ptr,ptr,size
178 rt_sigqueueinfo conv pid,sig,ptr
179 rt_sigsuspend conv ptr,size
180 pread64 conv fd,ptr,size,lo,hi
181 pwrite64 conv fd,ptr,size,lo,hi
182 chown conv path,int,int
183 getcwd conv ptr,size
184 capget pass ptr,out
185 capset pass ptr,ptr
186 sigaltstack conv ptr,ptr
187 sendfile conv fd,fd,ptr,size
190 vfork part ; the child does not see what the parent's other threads store meanwhile, nor the parent what it maps of files or shared; RHEA_FORK=exec: it has a copy of the memory
191 ugetrlimit conv int,ptr
192 mmap2 conv ptr,size,mprot,mflags,fd,uint
193 truncate64 conv path,lo,hi
194 ftruncate64 conv fd,lo,hi
195 stat64 conv path,ptr
196 lstat64 conv path,ptr
197 fstat64 conv fd,ptr
198 lchown32 pass path,int,int
199 getuid32 quick
200 getgid32 quick
201 geteuid32 quick
202 getegid32 quick
203 setreuid32 quick int,int
204 setregid32 quick int,int
205 getgroups32 quick int,out
206 setgroups32 quick int,ptr
207 fchown32 pass fd,int,int
208 setresuid32 quick int,int,int
209 getresuid32 quick out,out,out
210 setresgid32 quick int,int,int
211 getresgid32 quick out,out,out
212 chown32 pass path,int,int
213 setuid32 quick int
214 setgid32 quick int
215 setfsuid32 quick int
216 setfsgid32 quick int
217 pivot_root pass path,path
218 mincore conv ptr,size,out
219 madvise conv ptr,size,int
220 getdents64 conv fd,ptr,size
221 fcntl64 conv fd,int,ptr
224 gettid conv
225 readahead conv fd,lo,hi,size
226 setxattr pass path,str,in,size,int
227 lsetxattr pass path,str,in,size,int
228 fsetxattr pass fd,str,in,size,int
229 getxattr pass path,str,out:4,size
230 lgetxattr pass path,str,out:4,size
231 fgetxattr pass fd,str,out:4,size
232 listxattr pass path,out:3,size
233 llistxattr pass path,out:3,size
234 flistxattr pass fd,out:3,size
235 removexattr pass path,str
236 lremovexattr pass path,str
237 fremovexattr pass fd,str
238 tkill conv pid,sig
239 sendfile64 pass fd,fd,out,size
240 futex conv ptr,int,uint,ptr,ptr,uint
241 sched_setaffinity conv pid,size,ptr
242 sched_getaffinity conv pid,size,ptr
243 set_thread_area conv ptr
244 get_thread_area conv ptr
245 io_setup conv uint,ptr
246 io_destroy conv ptr
247 io_getevents conv ptr,long,long,ptr,ptr
248 io_submit conv ptr,long,ptr
249 io_cancel conv ptr,ptr,ptr
250 fadvise64 conv fd,lo,hi,size,int
252 exit_group conv int
254 epoll_create quick int
255 epoll_ctl quick fd,int,fd,ptr
256 epoll_wait pass fd,out,int,int
257 remap_file_pages no
258 set_tid_address conv ptr
259 timer_create conv int,ptr,ptr
260 timer_settime conv int,hex,ptr,ptr
261 timer_gettime conv int,ptr
262 timer_getoverrun quick int
263 timer_delete quick int
264 clock_settime conv int,ptr
265 clock_gettime conv int,ptr
266 clock_getres conv int,ptr
267 clock_nanosleep conv int,hex,ptr,ptr
268 statfs64 conv path,size,ptr
269 fstatfs64 conv fd,size,ptr
270 tgkill conv pid,pid,sig
271 utimes conv path,ptr
272 fadvise64_64 conv fd,lo,hi,lo,hi,int
277 mq_open conv str,oflags,mode,ptr
278 mq_unlink pass str
279 mq_timedsend conv fd,in,size,uint,ptr
280 mq_timedreceive conv fd,ptr,size,ptr,ptr
281 mq_notify conv fd,ptr
282 mq_getsetattr conv fd,ptr,ptr
284 waitid conv int,pid,ptr,hex,ptr
286 add_key no
287 request_key no
288 keyctl no
289 ioprio_set quick int,int,int
290 ioprio_get quick int,int
291 inotify_init quick
292 inotify_add_watch pass fd,path,hex
293 inotify_rm_watch quick fd,int
295 openat conv fd,path,oflags,mode
296 mkdirat pass fd,path,mode
297 mknodat pass fd,path,mode,hex
298 fchownat pass fd,path,int,int,hex
299 futimesat conv fd,path,ptr
300 fstatat64 conv fd,path,ptr,hex
301 unlinkat pass fd,path,hex
302 renameat pass fd,path,fd,path
303 linkat pass fd,path,fd,path,hex
304 symlinkat pass str,fd,path
305 readlinkat conv fd,path,ptr,size
306 fchmodat pass fd,path,mode
307 faccessat pass fd,path,mode
308 pselect6 conv int,ptr,ptr,ptr,ptr,ptr
309 ppoll conv ptr,uint,ptr,ptr,size
310 unshare part hex ; not of users: the process has threads of the runtime's
311 set_robust_list conv ptr,size
312 get_robust_list conv pid,ptr,ptr
313 splice pass fd,out,fd,out,size,hex
314 sync_file_range conv fd,lo,hi,lo,hi,hex
315 tee pass fd,fd,size,hex
316 vmsplice conv fd,ptr,size,hex
317 move_pages no
318 getcpu quick out,out,ptr
319 epoll_pwait conv fd,ptr,int,int,ptr,size
320 utimensat conv fd,path,ptr,hex
321 signalfd conv fd,ptr,size
322 timerfd_create quick int,hex
323 eventfd quick uint
324 fallocate conv fd,int,lo,hi,lo,hi
325 timerfd_settime conv fd,hex,ptr,ptr
326 timerfd_gettime conv fd,ptr
327 signalfd4 conv fd,ptr,size,hex
328 eventfd2 quick uint,hex
329 epoll_create1 quick hex
330 dup3 conv fd,fd,hex
331 pipe2 pass out,hex
332 inotify_init1 quick hex
333 preadv conv fd,ptr,int,lo,hi
334 pwritev conv fd,ptr,int,lo,hi
335 rt_tgsigqueueinfo conv pid,pid,sig,ptr
336 perf_event_open no
337 recvmmsg conv fd,ptr,uint,hex,ptr
340 prlimit64 conv pid,int,ptr,ptr
341 name_to_handle_at pass fd,path,out,out,hex
342 open_by_handle_at pass fd,ptr,oflags
343 clock_adjtime no
344 syncfs pass fd
345 sendmmsg conv fd,ptr,uint,hex
346 setns pass fd,hex
347 process_vm_readv no
348 process_vm_writev no
349 kcmp conv pid,pid,int,hex,hex
351 sched_setattr pass pid,ptr,hex
352 sched_getattr pass pid,out:3,size,hex
353 renameat2 pass fd,path,fd,path,hex
354 seccomp no
355 getrandom pass out:2,size,hex
356 memfd_create pass str,hex
357 bpf no
358 execveat conv fd,path,argv,argv,hex
359 socket pass int,int,int
360 socketpair pass int,int,int,out
361 bind pass fd,ptr,size
362 connect pass fd,ptr,size
363 listen pass fd,int
364 accept4 pass fd,out,out,hex
365 getsockopt conv fd,int,int,ptr,ptr
366 setsockopt conv fd,int,int,ptr,size
367 getsockname pass fd,out,out
368 getpeername pass fd,out,out
369 sendto pass fd,in,size,hex,ptr,size
370 sendmsg conv fd,ptr,hex
371 recvfrom pass fd,out:3,size,hex,out,out
372 recvmsg conv fd,ptr,hex
373 shutdown pass fd,int
374 userfaultfd no
375 membarrier pass int,hex,int
376 mlock2 conv ptr,size,hex
377 copy_file_range pass fd,out,fd,out,size,hex
378 preadv2 conv fd,ptr,int,lo,hi,hex
379 pwritev2 conv fd,ptr,int,lo,hi,hex
380 pkey_mprotect no
381 pkey_alloc no
382 pkey_free no
383 statx conv fd,path,hex,hex,ptr
384 arch_prctl no
385 io_pgetevents conv ptr,long,long,ptr,ptr,ptr
386 rseq no
393 semget pass int,int,hex
394 semctl conv int,int,int,ptr
395 shmget pass int,size,hex
396 shmctl conv int,int,ptr
397 shmat conv int,ptr,hex
398 shmdt conv ptr
399 msgget pass int,hex
400 msgsnd conv int,ptr,size,hex
401 msgrcv conv int,ptr,size,long,hex
402 msgctl conv int,int,ptr
403 clock_gettime64 quick int,out
404 clock_settime64 pass int,ptr
406 clock_getres_time64 quick int,out
407 clock_nanosleep_time64 pass int,hex,ptr,out
408 timer_gettime64 pass int,out
409 timer_settime64 pass int,hex,ptr,out
410 timerfd_gettime64 pass fd,out
411 timerfd_settime64 pass fd,hex,ptr,out
412 utimensat_time64 pass fd,path,ptr,hex
413 pselect6_time64 conv int,ptr,ptr,ptr,ptr,ptr
414 ppoll_time64 conv ptr,uint,ptr,ptr,size
416 io_pgetevents_time64 conv ptr,long,long,ptr,ptr,ptr
417 recvmmsg_time64 conv fd,ptr,uint,hex,ptr
418 mq_timedsend_time64 pass fd,in,size,uint,ptr
419 mq_timedreceive_time64 pass fd,out:3,size,out,ptr
420 semtimedop_time64 pass int,ptr,size,ptr
421 rt_sigtimedwait_time64 conv ptr,ptr,ptr,size
422 futex_time64 conv ptr,int,uint,ptr,ptr,uint
423 sched_rr_get_interval_time64 pass pid,out
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
